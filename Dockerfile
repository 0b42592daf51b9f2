# One build for the three programs, then a small image for each: `docker build --target proxy .`
# Works with BuildKit and with the classic builder. Used by docker-compose.yml.

# ---- the builder -------------------------------------------------------------------------------------------
FROM rust:1.95-slim-bookworm AS builder
WORKDIR /src

# ---- what decides the dependencies: manifests and lock file, with every source file emptied ------------------
# Its result is the same as long as no manifest changes, so that the next stage comes from the cache.
FROM builder AS manifests
COPY Cargo.toml Cargo.lock ./
COPY crates crates
# A manifest may name targets, so that a file stays for each.
RUN find crates -type f ! -name Cargo.toml ! -name lib.rs ! -name main.rs ! -path '*/tests/*.rs' ! -path '*/benches/*.rs' -delete \
 && find crates -type f -path '*/tests/*/*' ! -name main.rs -delete \
 && find crates -type d -empty -delete \
 && for file in $(find crates -name '*.rs'); do printf '//! Emptied.\nfn main() {}\n' > "$file"; done

# ---- dependencies, then our own code -------------------------------------------------------------------------
FROM builder AS build
# `release`, or `dev` for a quick trial build.
ARG PROFILE=release
ENV CARGO_TERM_COLOR=never
COPY --from=manifests /src ./
RUN cargo build --locked --profile "$PROFILE" --bins -p proxy -p backend-auth -p chat-tracker
COPY Cargo.toml Cargo.lock ./
COPY crates crates
# Touched, because cargo compares times and the emptied files above are younger than a checkout.
RUN find crates -name '*.rs' -exec touch {} + \
 && cargo build --locked --profile "$PROFILE" --bins -p proxy -p backend-auth -p chat-tracker \
 && mkdir -p /out/data \
 && for program in proxy backend-auth chat-tracker; do \
      strip -o "/out/$program" "target/$(echo "$PROFILE" | sed 's/^dev$/debug/')/$program" || exit 1; \
    done

# ---- what the three images share -----------------------------------------------------------------------------
FROM debian:bookworm-slim AS runtime
# Numeric, so that an orchestrator can see that it isn't root.
USER 10001:10001
WORKDIR /app
STOPSIGNAL SIGTERM

# ---- the front door ------------------------------------------------------------------------------------------
FROM runtime AS proxy
COPY --from=build --chown=10001:10001 /out/data /data
COPY proxy.conf /app/proxy.conf
COPY --from=build /out/proxy /usr/local/bin/proxy
ENV PROXY_CONFIG=/app/proxy.conf PROXY_DATA=/data ADMIN=127.0.0.1:9100
VOLUME /data
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=5s --start-period=20s --retries=3 CMD ["proxy", "health"]
CMD ["proxy"]

# ---- accounts, sessions, the web client ----------------------------------------------------------------------
FROM runtime AS backend-auth
# who vouches for a provider of OpenID Connect
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build --chown=10001:10001 /out/data /data
COPY www /app/www
COPY --from=build /out/backend-auth /usr/local/bin/backend-auth
ENV SERVER_IP=0.0.0.0 SERVER_PORT=9000 DATA_DIR=/data WWW_DIR=/app/www
VOLUME /data
EXPOSE 9000
HEALTHCHECK --interval=5s --timeout=5s --start-period=20s --retries=3 CMD ["backend-auth", "health"]
CMD ["backend-auth"]

# ---- channels, messages, live events -------------------------------------------------------------------------
FROM runtime AS chat-tracker
COPY --from=build --chown=10001:10001 /out/data /data
COPY --from=build /out/chat-tracker /usr/local/bin/chat-tracker
ENV SERVER_IP=0.0.0.0 SERVER_PORT=8001 DATA_DIR=/data
VOLUME /data
EXPOSE 8001 3478/udp
HEALTHCHECK --interval=5s --timeout=5s --start-period=20s --retries=3 CMD ["chat-tracker", "health"]
CMD ["chat-tracker"]
