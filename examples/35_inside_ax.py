"""Heliostat's searcher inside Ax's own client: its experiment and storage, our suggestions."""

from ax.api.client import Client
from ax.api.configs import RangeParameterConfig
from ax.generation_strategy.generation_strategy import GenerationStrategy

from heliostat_searchers.ax_node import HeliostatNode

client = Client(random_seed=0)
client.configure_experiment(
    parameters=[
        RangeParameterConfig("learning rate", (1e-4, 1.0), "float", scaling="log"),
        RangeParameterConfig("decay", (0.0, 1.0), "float"),
    ]
)
client.configure_optimization("-loss", outcome_constraints=["memory <= 0.8"])
client.set_generation_strategy(GenerationStrategy(name="heliostat", nodes=[HeliostatNode(budget=20)]))
for _ in range(20):
    for index, values in client.get_next_trials(max_trials=1).items():
        loss = (values["learning rate"] ** 0.25 - 0.4) ** 2 + (values["decay"] - 0.9) ** 2
        client.complete_trial(index, raw_data={"loss": loss, "memory": values["decay"]})
best, metrics, _, _ = client.get_best_parameterization(use_model_predictions=False)
print(f"best loss {metrics['loss'][0]:.3f} with decay {best['decay']:.2f}, where memory allows no more")
