.PHONY: check test format lock schema

check: ## what is quick: format, lint, layers, types, unit tests
	./tests/run check
	./tests/run unit

test: ## everything, the sandbox included
	./tests/run

format: ## in the development environment that is active
	ruff format .
	ruff check --fix .

lock: ## pin the dependencies again; `make lock UPGRADE=--upgrade` takes the newest
	./requirements/refresh $(UPGRADE)

schema: ## publish the JSON Schemas of app files, group_vars and deployer.yml again
	python -c 'from pathlib import Path; from deployer.config.schema import write; write(Path("docs/schema"))'
