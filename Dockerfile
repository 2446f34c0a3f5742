# The image of synapse-otel: beside a job it delivers what the job writes into the folder of journals that both share.
#   docker build --tag synapse-otel .
# Behind an index or certificates of your own: --secret id=pip.conf,src=FILE --secret id=certificates,src=FILE

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python3 -m venv /opt/synapse-otel
COPY constraints/runtime.txt /build/constraints/
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=secret,id=certificates \
    /opt/synapse-otel/bin/pip install --quiet --require-hashes --requirement /build/constraints/runtime.txt
COPY pyproject.toml hatch_build.py README.md LICENSE /build/
COPY native /build/native
COPY web /build/web
COPY src /build/src
RUN --mount=type=secret,id=pip.conf,target=/etc/pip.conf --mount=type=secret,id=certificates \
    if [ -f /run/secrets/certificates ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/certificates; fi; \
    /opt/synapse-otel/bin/pip install --quiet --no-deps /build

FROM python:3.13-slim
COPY --from=build /opt/synapse-otel /opt/synapse-otel
RUN mkdir --mode 1777 /shared
ENV PATH=/opt/synapse-otel/bin:$PATH SYNAPSE_OTEL_JOURNAL_DIR=/shared/journals
USER 10001
ENTRYPOINT ["synapse-otel"]
CMD ["ship"]
