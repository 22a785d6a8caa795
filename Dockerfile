# Waybill as an image: the command line and the worker.
#   docker build -t waybill .
#   docker run --rm -u "$(id -u):$(id -g)" -v "$PWD:/data" waybill pull SOURCE /data/model
#
# The local service's Temporal, so that a container asks nobody but the source of its pull.
FROM golang:1.25.3-bookworm AS temporal
RUN CGO_ENABLED=0 GOBIN=/out go install -trimpath \
  -ldflags '-s -w -X github.com/temporalio/cli/temporalcli.Version=1.5.1' \
  github.com/temporalio/cli/cmd/temporal@v1.5.1

FROM node:20.20.2-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY src src
RUN npm run build && npm prune --omit=dev --no-audit --no-fund
# Temporal's package brings its binaries of five platforms, 30 MB each.
RUN cd node_modules/@temporalio/core-bridge/releases \
  && test -d "$(uname -m)-unknown-linux-gnu" \
  && find . -mindepth 1 -maxdepth 1 ! -name "$(uname -m)-unknown-linux-gnu" -exec rm -r {} +
# Types and source maps are for whoever builds: 90 MB.
RUN find node_modules -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' \) -delete

FROM node:20.20.2-bookworm-slim
# Temporal's client takes its trust anchors from the system.
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/waybill
COPY --from=temporal /out/temporal /usr/local/bin/temporal
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist/src dist/src
COPY --from=build /build/dist/bundle dist/bundle
COPY --from=build /build/dist/workflow-bundle.js dist/
COPY LICENSE README.md ./
# Any user id may run it: state and cache are in a folder that all may write to.
RUN ln -s /opt/waybill/dist/src/cli/main.js /usr/local/bin/waybill \
  && chmod +x dist/src/cli/main.js \
  && install -d -m 1777 /var/lib/waybill \
  && install -d -o node -g node /data
# Calls to a share that hangs take a thread each: with the four that Node has a worker would stand still.
ENV NODE_ENV=production \
  UV_THREADPOOL_SIZE=64 \
  WAYBILL_STATE_DIR=/var/lib/waybill/state \
  WAYBILL_CACHE_DIR=/var/lib/waybill/cache
USER node
WORKDIR /data
ENTRYPOINT ["waybill"]
CMD ["--help"]
