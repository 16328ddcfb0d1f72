"""NeMo Data Designer, one column of text. COUNT CONCURRENCY PORT [BUFFER] (its default is 1,000)"""

import os
import sys
import tempfile

os.environ.update(
    NEMO_TELEMETRY_ENABLED="false", DATA_DESIGNER_TELEMETRY_ENABLED="false", DO_NOT_TRACK="1",
    HF_HUB_OFFLINE="1",
)
import data_designer.config as dd
from common import PROMPT, Clock
from data_designer.config.models import ChatCompletionInferenceParams, ModelConfig, ModelProvider
from data_designer.config.run_config import RunConfig
from data_designer.interface import DataDesigner

count, concurrency, port = map(int, sys.argv[1:4])
buffer = int(sys.argv[4]) if len(sys.argv) > 4 else 1000
provider = ModelProvider(
    name="mock", endpoint=f"http://127.0.0.1:{port}/v1", provider_type="openai", api_key="x"
)
designer = DataDesigner(
    artifact_path=tempfile.mkdtemp(prefix="data-designer-bench-"), model_providers=[provider]
)
designer.set_run_config(RunConfig(buffer_size=buffer, otel_metrics_port=None))
model = ModelConfig(
    alias="m", model="mock", provider="mock", skip_health_check=True,
    inference_parameters=ChatCompletionInferenceParams(max_parallel_requests=concurrency),
)
config = dd.DataDesignerConfigBuilder(model_configs=[model])
numbers = dd.UniformSamplerParams(low=0.0, high=1e9, decimal_places=3)
config.add_column(
    dd.SamplerColumnConfig(name="i", sampler_type=dd.SamplerType.UNIFORM, params=numbers)
)
prompt = PROMPT.replace("{i}", "{{ i }}")
config.add_column(dd.LLMTextColumnConfig(name="out", model_alias="m", prompt=prompt))
with Clock() as clock:
    designer.create(config, num_records=count, dataset_name="bench")
clock.tell(count)
