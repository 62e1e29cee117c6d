# syntax=docker/dockerfile:1

# keyturn as an image: `docker build -t keyturn .`; worker, serve and every other command are its arguments.
# glibc, not Alpine: Temporal's native core is built for it.
FROM node:20.19.5-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY scripts/build.mjs scripts/build.mjs
COPY src src
RUN node scripts/build.mjs && npm prune --omit=dev --ignore-scripts

FROM node:20.19.5-bookworm-slim
# Certificates for Temporal's native core; nothing that installs packages stays in the image.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends ca-certificates \
  && rm -rf /var/lib/apt/lists/* /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /usr/local/bin/yarn* /opt/yarn-*
ENV NODE_ENV=production NODE_OPTIONS="" KEYTURN_HEALTH_URL=http://127.0.0.1:8377/healthz
WORKDIR /app
COPY --from=build /app/package.json package.json
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY LICENSE README.md ./
# keyturn.yaml, .keyturn/key and the store are mounted below /keyturn; an unnamed store volume gets this owner and mode.
RUN mkdir -p /keyturn/store /keyturn/.keyturn && chown -R node:node /keyturn && chmod 700 /keyturn/store /keyturn/.keyturn
WORKDIR /keyturn
USER 1000:1000
# No core dump may hold a key; the shell is replaced, so signals reach node. No --inspect.
ENTRYPOINT ["/bin/sh", "-c", "ulimit -c 0 && exec node /app/dist/cli/main.js \"$@\"", "keyturn"]
CMD ["worker"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(process.env.KEYTURN_HEALTH_URL).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
