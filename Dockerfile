# Images for docker-compose.yaml, which names one argument for each: PACKAGES=services for Airflow's
# own services, production for workers, gpu for workers with an NVIDIA GPU. The services differ in
# what is healthy, so docker-compose.yaml has the health checks.

# With @sha256:… behind it, it names one image for ever: see docs/operations.md.
ARG PYTHON_IMAGE=python:3.11.17-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_ROOT_USER_ACTION=ignore
RUN apt-get update -qq \
 && apt-get install -qq -y --no-install-recommends binutils > /dev/null \
 && rm -rf /var/lib/apt/lists/*
RUN python -m venv --without-pip /opt/roi/venv \
 && echo /opt/roi/include > "$(echo /opt/roi/venv/lib/python3*/site-packages)/roi.pth"

FROM build AS packages
ARG PACKAGES=production
COPY requirements-${PACKAGES}.txt include/roi_production/trim_packages.py /tmp/
# The file pins every package, including those that others need, with its hashes: pip resolves
# nothing and installs nothing else. TensorFlow's symbols for debuggers are a fifth of it. Bytecode
# that names no time of a file is the same in every build.
RUN --mount=type=cache,target=/root/.cache/pip \
    pip --python /opt/roi/venv/bin/python install --no-deps --no-compile --require-hashes \
    --requirement /tmp/requirements-${PACKAGES}.txt \
 && python /tmp/trim_packages.py /opt/roi/venv \
 && find /opt/roi/venv -path '*/tensorflow/*' -name '*.so*' -type f -exec strip --strip-unneeded {} + \
 && (python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/roi/venv/lib || true)

FROM packages AS bill-of-materials
COPY requirements-bill-of-materials.txt pyproject.toml /tmp/
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /tmp/tool \
 && pip --python /tmp/tool/bin/python install --no-deps --require-hashes \
    --requirement /tmp/requirements-bill-of-materials.txt \
 && mkdir /opt/roi/bill-of-materials \
 && /tmp/tool/bin/cyclonedx-py environment /opt/roi/venv/bin/python --pyproject /tmp/pyproject.toml \
    --mc-type application --output-reproducible \
    --output-file /opt/roi/bill-of-materials/python.cdx.json \
 && dpkg-query --show --showformat='${Package}\t${Version}\t${Architecture}\t${source:Package}\n' \
    > /opt/roi/bill-of-materials/debian.tsv

FROM build AS project
COPY pyproject.toml LICENSE /opt/roi/
COPY include /opt/roi/include
COPY dags /opt/roi/dags
COPY plugins /opt/roi/plugins
# A clone may be closed to others than its owner.
RUN python -m compileall -q --invalidation-mode unchecked-hash \
    /opt/roi/include /opt/roi/dags /opt/roi/plugins \
 && rm -r /opt/roi/venv \
 && chmod -R u=rwX,go=rX /opt/roi

FROM ${PYTHON_IMAGE}
ENV PYTHONUNBUFFERED=1 \
    PATH=/opt/roi/venv/bin:$PATH \
    AIRFLOW_HOME=/var/lib/roi/airflow
# The user's number is fixed, so that volumes keep their owner from image to image. Everything in
# /opt/roi belongs to root: no service can change its own code, and no image has an installer.
RUN groupadd --gid 10001 roi \
 && useradd --uid 10001 --gid roi --no-create-home --home-dir /var/lib/roi roi \
 && install --directory --owner roi --group roi \
    /var/lib/roi /var/lib/roi/airflow /var/lib/roi/logs /var/lib/roi/data /var/lib/roi/csv \
 && install --directory --owner roi --group roi --mode 700 /tmp/roi-cache-10001 \
 && pip uninstall --yes --quiet --root-user-action ignore setuptools wheel pip
COPY --from=packages /opt/roi/venv /opt/roi/venv
COPY --from=bill-of-materials /opt/roi/bill-of-materials /opt/roi/bill-of-materials
COPY --from=project /opt/roi /opt/roi
ARG PACKAGES=production
ARG CODE_REVISION=unknown
ENV ROI_CODE_REVISION=$CODE_REVISION
LABEL org.opencontainers.image.title="roi-forecast, packages: $PACKAGES" \
      org.opencontainers.image.description="Daily forecasts of the return on investment of stocks and commodities" \
      org.opencontainers.image.licenses=Apache-2.0 \
      org.opencontainers.image.revision=$CODE_REVISION
USER roi
WORKDIR /var/lib/roi
