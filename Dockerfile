# One image for every program of Meterdesk. The screens are built here, so that nothing is built at run time.
FROM python:3.12-slim

RUN pip install --no-cache-dir uv
WORKDIR /meterdesk
COPY . .
RUN uv sync --python-preference only-system && uv run python -c "from dashboard.ui.serving import build_if_needed, project_dir; build_if_needed(project_dir(), print)"

ENV METERDESK_DATA_DIR=/data
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["uv", "run", "--no-sync", "meterdesk"]
CMD ["up", "--host", "0.0.0.0"]
