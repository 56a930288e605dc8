# Python virtual environments, made from requirement files whose every wheel is pinned by hash.
PYTHON ?= python3

.PHONY: engine-venv test-venv
engine-venv: ## Make .venv/engine: Polars and DataFusion for the worker's engine (only when hack/python/engine.txt changed).
	@hack/python/venv.sh $(PYTHON) .venv/engine hack/python/engine.txt

test-venv: ## Make .venv/test: PyIceberg, DuckDB and data sets for tests and the demo (only when hack/python/test.txt changed).
	@hack/python/venv.sh $(PYTHON) .venv/test hack/python/test.txt
