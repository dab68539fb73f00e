# Every target sets itself up. What a run leaves behind lies in .roi (ROI_HOME=… names another place).

PYTHON ?= python3
VENV := .venv/bin/python
# No setting of the shell reaches the command, but for those that process_environment.py lets through.
LAUNCH := $(VENV) -I -m roi_local.launch

# Values reach Python as they were typed: $(value …) keeps make from expanding a $ in them, and the
# environment keeps them from the shell.
export ROI_SOURCE := $(value SOURCE)
export ROI_CSV := $(value CSV)
export ROI_CONF := $(value CONF)
export ROI_QUERY := $(value QUERY)
export ROI_OWNER := $(value OWNER)
export ROI_PORT := $(value PORT)
export ROI_YES := $(value YES)
export ROI_PRICES := $(value PRICES)
export ROI_SECTIONS := $(value SECTIONS)
export ROI_WHAT := $(value WHAT)
export ROI_MODEL := $(value MODEL)
export ROI_OUT := $(value OUT)
export ROI_A := $(value A)
export ROI_B := $(value B)
export ROI_ARGS := $(value ARGS)
export ROI_FROM := $(value FROM)
export ROI_CHART := $(value CHART)
export ROI_SESSIONS := $(value SESSIONS)
export ROI_SEED := $(value SEED)
export ROI_KILLS := $(value KILLS)
unexport SOURCE CSV CONF QUERY OWNER PORT YES PRICES WHAT MODEL OUT A B SECTIONS ARGS FROM CHART SESSIONS SEED KILLS
unexport $(filter PYTHON%,$(.VARIABLES))

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run check-csv backtest tune up down airflow tensorboard sql database database-url compare export backup restore clean test test-containers test-kubernetes bill-of-materials lint audit format benchmark-accuracy benchmark-speed soak env

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-18s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## create the virtual environment (done by every target that needs it)
	@$(PYTHON) -I include/roi_local/bootstrap.py run

setup-dev:
	@$(PYTHON) -I include/roi_local/bootstrap.py dev

run: setup ## the daily workflow once; SOURCE=simulated|yahoo|csv CSV=path CONF='{"epochs": 20}'
	@$(LAUNCH) roi_local.commands.run

check-csv: setup ## print what a run would understand of a price file or folder; CSV=path
	@$(LAUNCH) roi_local.commands.check_csv

tune: setup ## search for better hyperparameters; CONF='{"study": "spring", "trials": 20}'
	@$(LAUNCH) roi_local.commands.tune

backtest: setup ## walk forward through past prices, refitting as time goes on; takes what `make run` takes
	@$(LAUNCH) roi_local.commands.backtest

up: setup ## the live Airflow in the foreground, on 127.0.0.1:8080; PORT=… names another port
	@$(LAUNCH) roi_local.commands.up

down: setup ## stop the live Airflow
	@$(LAUNCH) roi_local.commands.down

airflow: setup ## Airflow's own command line; ARGS='dags list'
	@$(LAUNCH) roi_local.commands.airflow

tensorboard: setup ## TensorBoard on the logs of all trainings, on 127.0.0.1:6006; PORT=… names another port
	@$(LAUNCH) roi_local.commands.tensorboard

sql: setup ## psql on the views, read-only; QUERY='…' answers one query as CSV; OWNER=1 may change everything
	@$(LAUNCH) roi_local.commands.sql

database: setup ## keep PostgreSQL running until Ctrl-C, for notebooks and BI tools; PORT=5433 listens on 127.0.0.1
	@$(LAUNCH) roi_local.database.keep_running

database-url: setup ## print the read-only ROI_DATABASE_URL of a database that runs
	@$(LAUNCH) roi_local.database.url

compare: setup ## two versions side by side; A=version or model name B=likewise
	@$(LAUNCH) roi_local.commands.compare

export: setup ## CSV: the combined price and ROI table, or WHAT=view; OUT=path MODEL=name
	@$(LAUNCH) roi_local.commands.export

backup: setup ## write a complete backup of databases, models and datasets, while anything runs; OUT=new folder
	@$(LAUNCH) roi_local.commands.backup save

restore: setup ## put a backup in place of the installation, after asking; FROM=folder; YES=1 answers
	@$(LAUNCH) roi_local.commands.backup restore

env: setup ## write .env with the secrets of an installation by docker compose; keeps what is there
	@$(LAUNCH) roi_production.environment_file

clean: setup ## delete databases, models and logs, after asking; YES=1 answers
	@$(LAUNCH) roi_local.commands.clean

test: setup-dev ## run all tests; ARGS='-k scaling' passes options to pytest
	@$(VENV) -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

test-containers: setup-dev ## install, upgrade, kill, back up and restore by docker compose, on an engine of its own; as root
	@$(VENV) -m pytest tests/containers -m containers -p no:xdist -o log_cli=true -o log_cli_level=INFO -o log_cli_format='%(asctime)s %(message)s' $(ARGS)

bill-of-materials: ## print the packages of an image as CycloneDX; IMAGE=roi-forecast-cpu
	@docker run --rm --network none $(or $(IMAGE),roi-forecast-services) cat /opt/roi/bill-of-materials/python.cdx.json

test-kubernetes: setup-dev ## render kubernetes/ with Helm and Airflow's chart and check every object; CHART=airflow-1.22.0.tgz
	@$(VENV) -m pytest tests/production/test_kubernetes.py

lint: setup-dev ## check format, style, types and security; shows known advisories of the packages
	@$(VENV) -m ruff format --check .
	@$(VENV) -m ruff check .
	@$(VENV) -m mypy include $(sort $(dir $(wildcard dags/*.py plugins/*.py)))
	@$(VENV) -m bandit --quiet --configfile pyproject.toml --recursive include $(sort $(dir $(wildcard dags/*.py plugins/*.py)))
	@$(LAUNCH) roi_local.commands.audit --show

audit: setup-dev ## like the end of lint, but fails on any known advisory or without an answer
	@$(LAUNCH) roi_local.commands.audit

format: setup-dev ## bring the code into the project's format
	@$(VENV) -m ruff format .
	@$(VENV) -m ruff check --fix .

benchmark-accuracy: setup-dev ## model, intervals and next-day skill beside every peer; PRICES=path of daily bars
	@$(VENV) benchmarks/accuracy.py

benchmark-speed: setup-dev ## training steps, start-up, storing, scale, views, API and a daily run; SECTIONS='steps scale' selects
	@$(VENV) benchmarks/speed.py

soak: setup-dev ## hundreds of simulated sessions with faults, then kills at stages; SESSIONS=250 SEED=0 KILLS=200 OUT=folder
	@$(VENV) benchmarks/many_sessions.py
	@ROI_KILLS=$${ROI_KILLS:-200} $(VENV) -m pytest -q tests/faults/test_kills.py
