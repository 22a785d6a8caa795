# Waybill as an image: the command line and the worker.
#   docker build -t waybill .
#   docker run --rm -u "$(id -u):$(id -g)" -v "$PWD:/data" waybill pull SOURCE /data/model
FROM node:20.20.2-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY src src
RUN npm run build && npm prune --omit=dev --no-audit --no-fund

FROM node:20.20.2-bookworm-slim
# Temporal's client takes its trust anchors from the system.
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/waybill
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/dist dist
COPY LICENSE README.md ./
# Any user id may run it: state and cache are in a folder that all may write to.
RUN ln -s /opt/waybill/dist/src/cli/main.js /usr/local/bin/waybill \
  && chmod +x dist/src/cli/main.js \
  && install -d -m 1777 /var/lib/waybill \
  && install -d -o node -g node /data
ENV NODE_ENV=production \
  WAYBILL_STATE_DIR=/var/lib/waybill/state \
  WAYBILL_CACHE_DIR=/var/lib/waybill/cache
USER node
WORKDIR /data
ENTRYPOINT ["waybill"]
CMD ["--help"]
