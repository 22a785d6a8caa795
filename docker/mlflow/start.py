"""Makes the bucket if it is not there, then becomes the MLflow server."""

import os

import boto3

bucket = os.environ["MLFLOW_BUCKET"]
s3 = boto3.client("s3", endpoint_url=os.environ["MLFLOW_S3_ENDPOINT_URL"])
if bucket not in [one["Name"] for one in s3.list_buckets()["Buckets"]]:
    s3.create_bucket(Bucket=bucket)

os.execvp(
    "mlflow",
    [
        "mlflow",
        "server",
        "--host",
        os.environ.get("MLFLOW_BIND", "0.0.0.0"),
        "--port",
        os.environ.get("MLFLOW_PORT", "5000"),
        "--workers",
        "2",
        "--backend-store-uri",
        "sqlite:///mlflow.db",
        "--artifacts-destination",
        f"s3://{bucket}/artifacts",
        "--allowed-hosts",
        os.environ["MLFLOW_ALLOWED_HOSTS"],
    ],
)
