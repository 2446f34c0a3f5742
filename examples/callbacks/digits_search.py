"""scikit-learn: a search for the best parameter, and its progress. `python examples/callbacks/digits_search.py`."""

from __future__ import annotations

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import synapse_otel
from synapse_otel.integrations.sklearn import SynapseCallback


def main() -> None:
    """Search."""
    x, y = load_digits(return_X_y=True)
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=100, tol=0.1))
    with synapse_otel.job("train", plugin="digits-search") as ctx:
        search = GridSearchCV(model, {"logisticregression__C": [0.01, 0.1, 1.0]}, cv=2)
        search.set_callbacks(SynapseCallback(ctx)).fit(x[:400], y[:400])
        ctx.log("best", search.best_params_)


if __name__ == "__main__":
    main()
