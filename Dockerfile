# The image of ternd, for any engine of OCI images; docs/operations.md says how it is run.
#   docker build -t tern .        (buildah and podman: with --format docker, or the HEALTHCHECK is lost)
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
WORKDIR /src
COPY tools/install_deps.sh tools/
RUN tools/install_deps.sh
COPY . .
ENV CCACHE_DISABLE=1
RUN cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DTERN_TESTS=OFF \
 && cmake --build build -j "$(nproc)" \
 && DESTDIR=/install cmake --install build --strip

FROM ${BASE}
LABEL org.opencontainers.image.title="tern" \
      org.opencontainers.image.description="LLM serving over gRPC and OpenAI's HTTP API" \
      org.opencontainers.image.licenses="Apache-2.0"
# The libraries that both programs are linked with (objdump -p); theirs come along.
RUN apt-get update \
 && apt-get install -y --no-install-recommends \
      libedit2 libfmt9 libgrpc++1.51 libnghttp2-14 libpcre2-8-0 libprometheus-cpp-core1.0 libprotobuf32 libspdlog1.10 libssl3 \
      libutf8proc2 libyaml-cpp0.7 \
 && rm -rf /var/lib/apt/lists/*
RUN groupadd --gid 901 tern \
 && useradd --uid 901 --gid tern --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin tern \
 && install -d -o tern -g tern -m 0750 /run/tern
COPY --from=build /install/usr/local/bin/ /usr/local/bin/
COPY --from=build /install/usr/local/share/tern/ /usr/local/share/tern/
COPY deploy/container/ternd.yaml /etc/tern/ternd.yaml
COPY deploy/container/tern-healthcheck /usr/local/bin/tern-healthcheck
# Fails here, not in the field, where a library is missing or the configuration is wrong.
RUN ternd --check --config /etc/tern/ternd.yaml && tern --version

# A number, so that Kubernetes can tell that it is not root.
USER 901:901
# The admin socket; all else may be read-only.
VOLUME /run/tern
EXPOSE 50051 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10m --retries=3 CMD ["tern-healthcheck"]
ENTRYPOINT ["ternd"]
CMD ["--config", "/etc/tern/ternd.yaml"]
