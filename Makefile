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
unexport SOURCE CSV CONF QUERY OWNER PORT YES PRICES WHAT MODEL OUT A B SECTIONS
unexport $(filter PYTHON%,$(.VARIABLES))

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run check-csv backtest tune up down tensorboard sql compare export clean test lint audit format benchmark-accuracy benchmark-speed env

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

tensorboard: setup ## TensorBoard on the logs of all trainings, on 127.0.0.1:6006; PORT=… names another port
	@$(LAUNCH) roi_local.commands.tensorboard

sql: setup ## psql on the views, read-only; QUERY='…' answers one query as CSV; OWNER=1 may change everything
	@$(LAUNCH) roi_local.commands.sql

compare: setup ## two versions side by side; A=version or model name B=likewise
	@$(LAUNCH) roi_local.commands.compare

export: setup ## CSV: the combined price and ROI table, or WHAT=view; OUT=path MODEL=name
	@$(LAUNCH) roi_local.commands.export

env: setup ## write .env with the secrets of an installation by docker compose; keeps what is there
	@$(LAUNCH) roi_production.environment_file

clean: setup ## delete databases, models and logs, after asking; YES=1 answers
	@$(LAUNCH) roi_local.commands.clean

test: setup-dev ## run all tests; ARGS='-k scaling' passes options to pytest
	@$(VENV) -m pytest -n 2 --dist loadfile $(ARGS)

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
