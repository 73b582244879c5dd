"""Make the tables of the study `text` from the SMS Spam Collection.

    python reports/text/prepare.py SMSSpamCollection.gz FOLDER

Near-duplicate messages, which spammers send by the dozen, become one group, so that the study can
keep them on one side of every split: two messages whose groups of four and five letters have a
cosine of 0.8 or more (tf-idf, digits all alike), and all that such pairs connect. The same table
is written twice, since a study names problems by their files: `messages.csv` for hashed groups of
letters, `sentences.csv` for sentence vectors.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pandas as pd
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import TfidfVectorizer

LEAST_COSINE = 0.8


def near_duplicates(texts: pd.Series) -> pd.Series:
    """The group of each text: a number that near-duplicates share."""
    plain = texts.str.lower().map(lambda text: re.sub(r"\d", "0", text))
    rows = TfidfVectorizer(analyzer="char_wb", ngram_range=(4, 5)).fit_transform(plain)
    cosines = rows @ rows.T
    _, groups = connected_components(cosines >= LEAST_COSINE, directed=False)
    return pd.Series(groups, texts.index)


def main() -> None:
    """Read the collection and write both tables."""
    source, folder = map(Path, sys.argv[1:])
    table = pd.read_csv(source, sep="\t", quoting=3, dtype=str, keep_default_na=False)
    table.columns = ["label", "message"]
    table["group"] = near_duplicates(table["message"])
    sizes = table["group"].value_counts()
    print(f"{len(table)} messages, {len(sizes)} groups, {(sizes > 1).sum()} of several messages")
    for name in ("messages.csv", "sentences.csv"):
        table.to_csv(folder / name, index=False)


if __name__ == "__main__":
    main()
