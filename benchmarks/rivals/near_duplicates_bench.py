"""The texts of benchmarks/dedupe.py ("English, 5 words, threshold 0.9") through other tools.

pip install datasketch rensa gaoya   in an environment of its own
"""
import importlib.metadata, random, time

WORDS, DOCUMENTS, COPIES, THRESHOLD, MARGIN = 150, 9_000, 1_000, 0.9, 0.03
draw = random.Random(1)
words = [f"w{number}" for number in range(20_000)]
texts = [draw.choices(words, k=WORDS) for _ in range(DOCUMENTS)]
for original in texts[:COPIES]:
    share = draw.choice((0.003, 0.007, 0.015, 0.03, 0.05))
    texts.append([draw.choice(words) if draw.random() < share else word for word in original])
texts = [" ".join(text) for text in texts]


def shingles(text):
    split = text.split()
    return {" ".join(run) for run in zip(*[split[at:] for at in range(5)])}


def jaccard(one, other):
    a, b = shingles(texts[one]), shingles(texts[other])
    return len(a & b) / len(a | b)


def datasketch():
    from datasketch import MinHash, MinHashLSH

    sets = [{shingle.encode() for shingle in shingles(text)} for text in texts]
    index = MinHashLSH(threshold=THRESHOLD, num_perm=128)
    dropped = {}
    for number, signature in enumerate(MinHash.bulk(sets, num_perm=128, seed=1)):
        found = index.query(signature)
        if found:
            dropped[number] = int(found[0])
        else:
            index.insert(str(number), signature)
    return dropped


def rensa():
    from rensa import RMinHashDeduplicator

    index = RMinHashDeduplicator(threshold=THRESHOLD, num_perm=128, use_lsh=True)
    dropped = {}
    for number, text in enumerate(texts):
        pair = [(str(number), list(shingles(text)))]
        if not index.add_pairs(pair)[0]:
            dropped[number] = number - DOCUMENTS  # it does not say whom; the planted one
    return dropped


def gaoya():
    from gaoya.minhash import MinHashStringIndex

    index = MinHashStringIndex(
        hash_size=32, jaccard_threshold=THRESHOLD, num_bands=16, band_size=8, num_hashes=128,
        analyzer="word", lowercase=False, ngram_range=(5, 5),
    )
    dropped = {}
    for number, text in enumerate(texts):
        found = index.query(text)
        if found:
            dropped[number] = int(found[0])
        else:
            index.insert_document(number, text)
    return dropped


wanted = [n for n in range(COPIES) if jaccard(n, DOCUMENTS + n) >= THRESHOLD + MARGIN]
for tool in (datasketch, rensa, gaoya):
    start, wall = time.process_time(), time.perf_counter()
    try:
        dropped = tool()
    except Exception as exc:
        print(tool.__name__, repr(exc)[:300])
        continue
    seconds = time.process_time() - start
    found = sum(DOCUMENTS + n in dropped for n in wanted)
    right = sum(other >= 0 and jaccard(one, other) >= THRESHOLD for one, other in dropped.items())
    print(
        f"{tool.__name__} {importlib.metadata.version(tool.__name__)}: {len(texts) / seconds:,.0f} documents/s of CPU,"
        f" recall {found / len(wanted):.4f} of {len(wanted)}, precision {right / max(1, len(dropped)):.4f} of {len(dropped)}"
    )
