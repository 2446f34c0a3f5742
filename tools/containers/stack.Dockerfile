# Stand-ins for the images of docker-compose.yml that cannot be pulled where the tests run: FROM scratch, of the very
# binaries of tools/stack, with the users, folders and paths of the real ones. tools/containers/images.py builds them.

FROM scratch AS collector
COPY --from=binaries otelcol /otelcol-contrib
USER 10001
ENTRYPOINT ["/otelcol-contrib"]

FROM scratch AS jaeger
COPY --from=binaries jaeger /cmd/jaeger/jaeger-linux
USER 10001
ENTRYPOINT ["/cmd/jaeger/jaeger-linux"]

# The real one is made on busybox, too: the health neighbours and queue-folders are run from it.
FROM scratch AS prometheus
COPY --from=busybox busybox /bin/
RUN ["/bin/busybox", "--install", "-s", "/bin"]
COPY --from=binaries prometheus promtool /bin/
WORKDIR /prometheus
RUN ["/bin/chown", "65534:65534", "/prometheus"]
USER 65534:65534
VOLUME ["/prometheus"]
ENTRYPOINT ["/bin/prometheus"]

FROM scratch AS victorialogs
COPY --from=binaries victoria-logs /victoria-logs-prod
ENTRYPOINT ["/victoria-logs-prod"]
