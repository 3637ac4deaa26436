# The image of the portal. It installs the locked packages, runs as an unprivileged user, and can run read-only.
FROM python:3.13.18-slim-trixie AS build
WORKDIR /build
RUN python -m venv /portal
COPY requirements.lock .
RUN /portal/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY webapp webapp
COPY templates templates
COPY static static
RUN /portal/bin/pybabel --quiet compile -d webapp/translations \
    && python -m pip wheel --no-cache-dir --no-deps --wheel-dir dist . \
    && /portal/bin/pip install --no-cache-dir --no-deps dist/*.whl \
    && /portal/bin/python -m compileall -q /portal/lib

FROM python:3.13.18-slim-trixie
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin portal
COPY --from=build /portal /portal
ENV PATH=/portal/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 HOST=0.0.0.0 PORT=8000 \
    INSTANCE_DIR=/tmp/instance SWEEP_EVERY=0
WORKDIR /tmp
USER 10001
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/healthz', timeout=4)"]
ENTRYPOINT ["my-qlik-portal"]
CMD ["serve"]
