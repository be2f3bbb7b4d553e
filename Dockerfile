# syntax=docker/dockerfile:1
#
# One file, three images:
#   docker build .                        the CPU image (target `cpu`, the default): no torch
#   docker build --target gpu .           with the `gpu` extra: torch and its CUDA libraries
#   docker build --target monitoring .    with the `monitoring` extra: Flower
#
# Installed packages are one layer, our own code a second, small one: a change of code rebuilds and ships
# only that. Builds need the network, containers do not.

FROM python:3.11-slim AS dependencies
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_ROOT_USER_ACTION=ignore
RUN python -m venv --without-pip /opt/otzyv
WORKDIR /src
COPY pyproject.toml constraints.txt ./
# Empty packages stand in for the code, so that this layer depends on the two files above alone.
RUN mkdir workers shared scripts \
    && touch README.md LICENSE workers/__init__.py shared/__init__.py scripts/__init__.py
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/otzyv/bin/python install --constraint constraints.txt . \
    && pip --python /opt/otzyv/bin/python uninstall --yes otzyv

FROM dependencies AS dependencies-gpu
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/otzyv/bin/python install --constraint constraints.txt ".[gpu]" \
    && pip --python /opt/otzyv/bin/python uninstall --yes otzyv

FROM dependencies AS dependencies-monitoring
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/otzyv/bin/python install --constraint constraints.txt ".[monitoring]" \
    && pip --python /opt/otzyv/bin/python uninstall --yes otzyv

FROM dependencies AS package
COPY README.md LICENSE ./
COPY workers workers
COPY shared shared
COPY scripts scripts
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/otzyv/bin/python install --no-deps --prefix /package .

FROM python:3.11-slim AS runtime
ENV PATH=/opt/otzyv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/var/lib/otzyv \
    HF_HOME=/var/lib/otzyv/models/huggingface
# A named volume takes its owner from the image's directory: it has to exist before the volume does.
RUN groupadd --system --gid 10001 otzyv \
    && useradd --system --uid 10001 --gid otzyv --home-dir /var/lib/otzyv --shell /usr/sbin/nologin otzyv \
    && install --directory --owner otzyv --group otzyv /var/lib/otzyv /var/lib/otzyv/models
WORKDIR /var/lib/otzyv
# By number, so that an orchestrator can see that it is not root.
USER 10001:10001
# Exec form: the process gets SIGTERM itself and shuts down warm.
CMD ["otzyv", "--help"]

FROM runtime AS gpu
COPY --from=dependencies-gpu /opt/otzyv /opt/otzyv
COPY --from=package /package /opt/otzyv

FROM runtime AS monitoring
COPY --from=dependencies-monitoring /opt/otzyv /opt/otzyv
COPY --from=package /package /opt/otzyv

FROM runtime AS cpu
COPY --from=dependencies /opt/otzyv /opt/otzyv
COPY --from=package /package /opt/otzyv
