"""distilabel's text generation, no cache. COUNT CONCURRENCY PORT [BATCH] (its default is 50)"""

import os
import sys
import tempfile

os.environ.update(
    OPENAI_API_KEY="x", HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1",
    DISTILABEL_CACHE_DIR=tempfile.mkdtemp(prefix="distilabel-bench-"),
)
from common import PROMPT, Clock
from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import TextGeneration

if __name__ == "__main__":
    count, _, port = map(int, sys.argv[1:4])
    batch = int(sys.argv[4]) if len(sys.argv) > 4 else 50
    rows = [{"instruction": PROMPT.format(i=i)} for i in range(count)]
    with Pipeline(name=f"bench-{count}-{batch}") as pipeline:
        load = LoadDataFromDicts(data=rows, batch_size=batch)
        llm = OpenAILLM(model="mock", base_url=f"http://127.0.0.1:{port}/v1", api_key="x")
        load >> TextGeneration(llm=llm, input_batch_size=batch)
    with Clock() as clock:
        pipeline.run(use_cache=False)
    clock.tell(count)
