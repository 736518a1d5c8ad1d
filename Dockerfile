# Both services and the operator's commands in one image; the command picks the program.
#   docker build -t nexrole .
#   docker run --rm nexrole nexrole migrate
FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# The caches spare the next build the dependencies; they are not part of the image.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --package webhook-gateway --package bot --package nexrole \
    && install -D -t /out target/release/webhook-gateway target/release/bot target/release/nexrole

FROM debian:bookworm-slim
# No certificates, no Postgres, no shell scripts: TLS roots are compiled in, the database is elsewhere.
COPY --from=build /out/ /usr/local/bin/
USER 65534:65534
WORKDIR /tmp
# The gateway's port; the bot answers health checks on its own.
EXPOSE 8080
STOPSIGNAL SIGTERM
CMD ["webhook-gateway"]
