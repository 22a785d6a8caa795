/** The name of the variable that a key of a connection means, however it is written: `aws-region` is AWS_REGION. */
export function variableName(key: string): string {
  return key.toUpperCase().replaceAll('-', '_');
}
