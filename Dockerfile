# One image for planner, compiler and assembler; docker-compose.yml says which it is.
#
# Debian with compilers, because a light stemcell is the root of the container: what a package's packaging script calls (cc,
# make, tar) and what a job runs (haproxy, for the example) must be in this image. gcc also builds the PID 1 of machines.
FROM node:24-bookworm

RUN apt-get update \
  && apt-get install -y --no-install-recommends haproxy \
  && rm -rf /var/lib/apt/lists/*

WORKDIR /remodel

# The node of the image is the right one already, so no development packages and no install scripts.
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund && npm cache clean --force

COPY . .
RUN ln -s /remodel/bin/remodel /usr/local/bin/remodel

ENV NODE_ENV=production REMODEL_HOME=/var/lib/remodel
# Blobs and machines: a volume, as machines cannot be layered on the file system of a container.
VOLUME /var/lib/remodel

# Services look after SIGTERM themselves: no shell in between.
ENTRYPOINT ["node"]
CMD ["services/planner/main.ts"]
