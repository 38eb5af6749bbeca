# What runs in the container? The sources as they are: Node runs TypeScript itself, so there is no build stage.
FROM node:24-slim

WORKDIR /app
COPY package.json package-lock.json ./
# No install scripts: they are for development only.
RUN npm ci --omit=dev --ignore-scripts && npm cache clean --force
COPY src ./src
# What `openclaw-guard schema` prints.
COPY guard.schema.json ./
# A named volume takes over the owner of the folder it is mounted on.
RUN chmod 755 src/main.ts \
  && ln -s /app/src/main.ts /usr/local/bin/openclaw-guard \
  && install -d -o node -g node -m 700 /var/lib/openclaw-guard

# The user of the gateway's image, too: then its /proc can be read without any capability.
USER node
VOLUME /var/lib/openclaw-guard
HEALTHCHECK --interval=30s --timeout=3s --start-period=10s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:9477/-/healthy').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# The option is that of the first line of main.ts: it saves 17 MB.
ENTRYPOINT ["node", "--max-semi-space-size=1", "/app/src/main.ts"]
CMD ["serve", "--config", "/etc/openclaw-guard/guard.yml"]
