"""The demonstration as a folder: the page, figures, tables and manifest of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from remix_study.paper.demonstration import boundary, samples
from remix_study.paper.demonstration.boundary import NATURAL_TRUTH, TRUTH
from remix_study.paper.demonstration.densities import densities
from remix_study.paper.demonstration.harm import TRAINED, harms
from remix_study.paper.demonstration.networks import HIDDEN
from remix_study.paper.demonstration.pictures import (
    batches_of,
    density_picture,
    harm_curves,
    harm_picture,
    profile_picture,
    seeds_picture,
    segments_picture,
    spread_picture,
    surface_picture,
)
from remix_study.paper.demonstration.readings import (
    boundary_headline,
    boundary_lines,
    density_lines,
    harm_lines,
    percent,
    sample_lines,
)
from remix_study.paper.demonstration.scale import BATCH_SIZE, FULL, SEED, Scale
from remix_study.paper.demonstration.sets import NEIGHBOURS, clouds, moons
from remix_study.report.figures import strategy_color
from remix_study.report.folder import publish
from remix_study.report.formatting import counted, listing, number
from remix_study.report.page import fill
from remix_study.report.page_model import Block, Cell, Head, Section, Table
from remix_study.seeds import derive_seed


def write_demonstration(output: Path, *, command: str, scale: Scale = FULL) -> Path:
    """Draw the data, train the networks and write the page.

    Args:
        output: the folder, as :func:`remix_study.report.page.write_report` takes it.
        command: the command line, for the page and the manifest.
        scale: how much is drawn and trained.

    Returns:
        The path of `index.html`.

    Raises:
        UsageError: the folder cannot be written or holds other files.
    """

    def write(folder: Path) -> None:
        found = boundary.surfaces(scale)
        copied = samples.copies(scale)
        claim = boundary.judge(found.measures)
        sections = [
            _boundary_section(found, claim),
            _samples_section(copied, scale),
            _density_section(scale),
            _harm_section(scale),
            _how(scale),
        ]
        networks = scale.seeds * (len(boundary.STRATEGIES) + 2 * len(TRAINED))
        fill(
            folder,
            sections,
            title="ReMix demonstrated",
            status=f"Figures 1, 2, 3, 4 and 8 of the paper, made anew on made-up data with "
            f"{counted(networks, 'network')}.",
            complete=True,
            command=command,
            about={
                "seed": SEED,
                "scale": asdict(scale),
                "facts": {
                    "boundary": asdict(claim),
                    "copies": asdict(samples.judge(copied, scale.seeds)),
                },
            },
        )

    return publish(output, write)


@dataclass(frozen=True)
class _Column:
    """A column of a page's table; `sd` is the column with the spread, if any."""

    name: str
    head: str
    digits: int = 3
    share: bool = False
    sd: str = ""

    def cell(self, line: pd.Series) -> Cell:
        value, spread = float(line[self.name]), float(line[self.sd]) if self.sd else float("nan")
        text = percent(value) if self.share else number(value, self.digits)
        if pd.isna(spread):
            return Cell(text)
        spread = 100 * spread if self.share else spread
        return Cell(text, f"± {number(spread, 1 if self.share else self.digits)}")


def _table(caption: str, frame: pd.DataFrame, columns: Sequence[_Column]) -> Table:
    """One line a strategy or alpha; the first column of the frame names it."""
    first = str(frame.columns[0])
    rows = []
    for _, line in frame.iterrows():
        name = str(line[first]) if first == "strategy" else f"{line[first]:g}"
        color = "" if first != "strategy" or name.startswith("truth") else _color(name)
        rows.append(
            (Cell(name, kind="name", color=color), *(column.cell(line) for column in columns))
        )
    return Table(caption, ((Head(first), *(Head(c.head) for c in columns)),), tuple(rows))


def _color(label: str) -> str:
    return strategy_color(label.split(" ")[0])


def _spread(frame: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds and, with `_sd`, their standard deviations, one line a strategy."""
    by_strategy = frame.drop(columns="seed").groupby("strategy", sort=False)
    return by_strategy.mean().join(by_strategy.std().add_suffix("_sd")).reset_index()


def _boundary_section(found: boundary.Surfaces, claim: boundary.BoundaryClaim) -> Section:
    summary = _spread(found.measures)
    columns = (
        _Column("minority_share", "plane called rare", share=True, sd="minority_share_sd"),
        _Column("steepness", "steepness", 2, sd="steepness_sd"),
        _Column("slope", "mean |grad p|", sd="slope_sd"),
        _Column("band_share", "plane in doubt", share=True, sd="band_share_sd"),
        _Column("error_equal", "distance from truth, equal shares", sd="error_equal_sd"),
        _Column("error_natural", "distance from truth, shares as they are",
                sd="error_natural_sd"),
    )  # fmt: skip
    networks = summary[~summary["strategy"].isin([TRUTH, NATURAL_TRUTH])]
    truth = summary[~summary.index.isin(networks.index)]
    block = Block(
        headline=boundary_headline(claim),
        text=boundary_lines(found.measures),
        pictures=(
            surface_picture(found),
            profile_picture(boundary.profiles(found)),
            seeds_picture(found.measures),
        ),
        tables=(
            _table(
                f"Means over {counted(claim.seeds, 'seed')} and standard deviations; steepness "
                "and doubt are where p is within 0.1 to 0.9",
                pd.concat([networks, truth]),
                columns,
            ),
        ),
    )
    lead = (
        "A rare ring inside a common one, 50 rows and 1,000. Each seed draws its own rows and "
        "trains its own networks; the figure shows the first seed. Because the data are made up, "
        "the true probability is known."
    )
    files = {
        "boundary": summary,
        "boundary-by-seed": found.measures,
        "boundary-profile": boundary.profiles(found),
    }
    return Section("figure-1", "Figure 1: the boundary around a ring", lead, (block,), files)


def _samples_section(copied: pd.DataFrame, scale: Scale) -> Section:
    neighbours = clouds(NEIGHBOURS, derive_seed(SEED, "neighbours"))
    shown = batches_of(
        neighbours, seed=derive_seed(SEED, "neighbours", "plan"), epochs=scale.draws
    )
    half = moons(derive_seed(SEED, "moons", 0))
    columns = (
        _Column("rows", "rare rows an epoch", 0),
        _Column("distinct", "different ones", 0),
        _Column("copy_share", "within 1 % of a real row", share=True),
        _Column("outside_share", "outside the hull", share=True),
        _Column("soft_share", "soft labels, of all rows", share=True),
        _Column("smoted_share", "batches with a blend inside a class by SMOTE", share=True),
    )
    block = Block(
        text=sample_lines(copied),
        pictures=(
            segments_picture(neighbours, shown),
            spread_picture(half, seed=derive_seed(SEED, "moons 0", "plan")),
        ),
        tables=(
            _table(
                f"The half-moons, means over {counted(scale.seeds, 'seed')} and "
                f"{counted(scale.draws, 'epoch')} each; a row counts as rare where more than half "
                "of its label does",
                copied,
                columns,
            ),
        ),
    )
    lead = (
        "Rows that networks are really trained on, from the same batch plans. Above, of each the "
        "first batch with three rare rows or more and a blend that shows, with lines to the two "
        "rows behind each; below, the first batches of an epoch. A dark rim marks a soft label."
    )
    title = "Figures 2 and 3: the rows that SMOTE and ReMix make"
    return Section("figures-2-3", title, lead, (block,), {"samples": copied})


def _density_section(scale: Scale) -> Section:
    found = densities(scale)
    columns = (
        _Column("soft_share", "soft labels", share=True),
        _Column("middle_share", "features in the middle", share=True),
        _Column("untouched_share", "within 1 % of a real row", share=True),
        _Column("mean_label", "mean label of the rare class"),
    )
    block = Block(
        text=density_lines(found.table),
        pictures=(density_picture(found),),
        tables=(_table("Shares of all ReMix rows", found.table, columns),),
    )
    lead = (
        "ReMix on a common and a rare Gaussian, 1,000 rows around 0 and 50 around 4. Left the "
        "feature, right the label; ticks are real rows."
    )
    curves = pd.DataFrame({"feature": found.x, "data": found.natural}).assign(
        **{f"alpha {alpha:g}": values for alpha, values in found.features.items()}
    )
    labels = pd.DataFrame({"label": found.labels_at}).assign(
        **{f"alpha {alpha:g}": values for alpha, values in found.labels.items()}
    )
    files = {
        "densities": found.table,
        "densities-features": curves,
        "densities-labels": labels,
    }
    title = "Figure 4: what alpha does to rows and labels"
    return Section("figure-4", title, lead, (block,), files)


def _harm_section(scale: Scale) -> Section:
    found = harms(scale)
    names = ("two-clusters", "three-classes")
    tables = []
    for harm in found:
        both = harm.contradicted.merge(_spread(harm.scores), on="strategy")
        tables.append(
            _table(
                f"{harm.title}: rows against the data, and scores of networks on new rows with "
                "classes of equal size",
                both,
                (
                    _Column("contradicted", "rows against the data", share=True),
                    _Column("middle", "middle class found", share=True, sd="middle_sd"),
                    _Column("g_mean", "g-mean", sd="g_mean_sd"),
                ),
            )
        )
    block = Block(
        text=harm_lines(found),
        pictures=(
            harm_picture(found),
            *(harm_curves(harm, name) for harm, name in zip(found, names, strict=True)),
        ),
        tables=tuple(tables),
    )
    lead = (
        "A blend of two rows can land where another class lives, and no share of its label says "
        "so. Circles mark such rows in one batch of ReMix at alpha 0.5. Bands below are the range "
        "over seeds."
    )
    files = {}
    for harm, name in zip(found, names, strict=True):
        files[f"blends-{name}"] = harm.contradicted
        files[f"blends-{name}-scores"] = harm.scores
    title = "Figure 8: blends that speak against the data"
    return Section("figure-8", title, lead, (block,), files)


def _how(scale: Scale) -> Section:
    strategies = listing([strategy.label for strategy in boundary.STRATEGIES])
    text = (
        f"Everything derives from seed {SEED}. The strategies ({strategies}) are those of any "
        f"study, batches hold {BATCH_SIZE} rows, and all strategies of a seed share rows, initial "
        "weights and draws.",
        f"Networks have {len(HIDDEN)} hidden layers of {HIDDEN[0]} units with dropout 0.1; the "
        "paper's rule would give layers of 2 units on two features. Preset “paper”: Adam, the "
        f"rate lowered on plateaus of the training loss, at most {scale.epochs} epochs. No "
        "new row decides anything.",
        "Made-up data in two dimensions show what can happen, not how often it does on real data: "
        "for that there are the reports of studies.",
    )
    return Section("how", "How it was made", "", (Block(text=text),))
