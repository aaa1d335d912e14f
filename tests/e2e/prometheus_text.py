"""Reads Prometheus' text format 0.0.4, and fails where a line breaks its rules."""
import re

SAMPLE = re.compile(r'([a-zA-Z_:][\w:]*)(?:\{((?:\w+="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parse(text):
    """{(name, ((label, value), …)): number} of all samples, and {family: type}."""
    samples, types = {}, {}
    family = None
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            family, kind = line.split(" ")[2:]
            assert family not in types, f"{family} comes twice"
            types[family] = kind
        if line.startswith("#"):
            continue
        match = SAMPLE.fullmatch(line)
        assert match, f"no sample: {line}"
        name, labels, value = match.groups()
        suffixes = ("_bucket", "_sum", "_count") if types[family] == "histogram" else ("",)
        assert name.removeprefix(family) in suffixes and name.startswith(family), line
        key = (name, tuple(LABEL.findall(labels or "")))
        assert key not in samples, f"twice: {line}"
        samples[key] = float(value)
    check_histograms(samples, types)
    return samples, types


def check_histograms(samples, types):
    """Buckets rise, and the last one is +Inf and the count."""
    buckets = {}
    for (name, labels), value in samples.items():
        if name.endswith("_bucket") and types.get(name[:-7]) == "histogram":
            rest = tuple(label for label in labels if label[0] != "le")
            buckets.setdefault((name[:-7], rest), []).append((float(dict(labels)["le"]), value))
    for (name, labels), counts in buckets.items():
        assert counts == sorted(counts) and [v for _, v in counts] == sorted(v for _, v in counts), name
        assert counts[-1] == (float("inf"), samples[name + "_count", labels]), name
