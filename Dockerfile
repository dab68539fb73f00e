# Two images from one file: `--target cpu` for everything, `--target gpu` for workers with an NVIDIA
# GPU. docker-compose.yaml builds both.

FROM python:3.11.17-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 \
    PATH=/opt/roi/venv/bin:$PATH \
    AIRFLOW_HOME=/var/lib/roi/airflow
# The user's number is fixed, so that volumes keep their owner from image to image. Everything in
# /opt/roi belongs to root: no service can change its own code.
RUN groupadd --gid 10001 roi \
 && useradd --uid 10001 --gid roi --no-create-home --home-dir /var/lib/roi roi \
 && install --directory --owner roi --group roi \
    /var/lib/roi /var/lib/roi/airflow /var/lib/roi/logs /var/lib/roi/data /var/lib/roi/csv

FROM base AS cpu-packages
RUN python -m venv /opt/roi/venv
COPY requirements-production.txt /tmp/
# The file pins every package, including those that others need, with its hashes: pip resolves
# nothing and installs nothing else.
RUN pip install --no-cache-dir --no-deps --no-compile --require-hashes \
    --requirement /tmp/requirements-production.txt \
 && (python -m compileall -q -j 0 /opt/roi/venv/lib || true)

FROM base AS gpu-packages
RUN python -m venv /opt/roi/venv
COPY requirements-gpu.txt /tmp/
RUN pip install --no-cache-dir --no-deps --no-compile --require-hashes \
    --requirement /tmp/requirements-gpu.txt \
 && (python -m compileall -q -j 0 /opt/roi/venv/lib || true)

FROM base AS project
COPY pyproject.toml /opt/roi/
COPY include /opt/roi/include
COPY dags /opt/roi/dags
COPY plugins /opt/roi/plugins
RUN python -m compileall -q /opt/roi/include /opt/roi/dags /opt/roi/plugins

FROM base AS cpu
COPY --from=cpu-packages /opt/roi/venv /opt/roi/venv
COPY --from=project /opt/roi /opt/roi
RUN pip install --no-cache-dir --no-index --no-deps --no-build-isolation --editable /opt/roi
ARG CODE_REVISION=unknown
ENV ROI_CODE_REVISION=$CODE_REVISION
USER roi
WORKDIR /var/lib/roi

FROM base AS gpu
COPY --from=gpu-packages /opt/roi/venv /opt/roi/venv
COPY --from=project /opt/roi /opt/roi
RUN pip install --no-cache-dir --no-index --no-deps --no-build-isolation --editable /opt/roi
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
ARG CODE_REVISION=unknown
ENV ROI_CODE_REVISION=$CODE_REVISION
USER roi
WORKDIR /var/lib/roi
