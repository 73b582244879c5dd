"""The page of the demonstration, written as a folder with figures, tables and manifest."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from remix_study.paper import SENTENCES
from remix_study.paper.demonstration import (
    blends,
    boundary,
    generated_data,
    plane_figures,
    samples,
)
from remix_study.paper.demonstration.generated_data import (
    BATCH_SIZE,
    FULL,
    HIDDEN,
    SEED,
    Points,
    Scale,
)
from remix_study.report.formatting import counted, number, percent, plain
from remix_study.report.page_files import PAGE_ONLY, Formats, publish, write_page
from remix_study.report.page_model import Block, Cell, Section
from remix_study.report.page_tables import Column, line_table
from remix_study.seeds import derive_seed

Line = Mapping[Hashable, Any]


def write_demonstration(
    output: Path, *, command: str, scale: Scale = FULL, formats: Formats = PAGE_ONLY
) -> Path:
    """Draw the data, train the networks and write the page of the demonstration.

    Arguments, result and errors are those of :func:`remix_study.report.page.write_report`, but for
    the scale: how much is drawn and trained.
    """

    def write(folder: Path) -> None:
        surfaces = boundary.train_surfaces(scale)
        claim = boundary.judge_boundary(surfaces.measures)
        copied = samples.copy_means(scale)
        copies = samples.judge_copies(copied, scale.seeds)
        networks = scale.seeds * (len(boundary.STRATEGIES) + 2 * len(blends.TRAINED))
        write_page(
            folder,
            [
                _boundary_section(surfaces, claim),
                _samples_section(copied, copies, scale),
                _density_section(scale),
                _blend_section(scale),
                _method_section(scale),
            ],
            title="ReMix demonstrated",
            status=f"Figures 1, 2, 3, 4 and 8 of the paper, made anew on made-up data with "
            f"{counted(networks, 'network')}.",
            complete=True,
            command=command,
            about={
                "seed": SEED,
                "scale": asdict(scale),
                "facts": {"boundary": asdict(claim), "copies": asdict(copies)},
            },
            formats=formats,
        )

    return publish(output, write)


def _boundary_section(surfaces: boundary.Surfaces, claim: boundary.BoundaryClaim) -> Section:
    summary = _means_over_seeds(surfaces.measures)
    profiles = boundary.radial_profiles(surfaces)
    facts = boundary.boundary_facts(surfaces.measures), boundary.TRUTH, boundary.NATURAL_TRUTH
    caption = (
        f"Means over {counted(claim.seeds, 'seed')} and standard deviations; steepness "
        "and doubt are where p is within 0.1 to 0.9"
    )
    columns = (
        _STRATEGY,
        _share("minority_share", "plane called rare"),
        _number("steepness", "steepness", 2),
        _number("slope", "mean |grad p|"),
        _share("band_share", "plane in doubt"),
        _number("error_equal", "distance from truth, equal shares"),
        _number("error_natural", "distance from truth, shares as they are"),
    )
    block = Block(
        headline=SENTENCES.text("demonstration.boundary_headline", claim),
        text=SENTENCES.paragraphs("demonstration.boundary", claim, *facts),
        pictures=(
            plane_figures.surface_figure(surfaces),
            boundary.profile_figure(profiles),
            boundary.seed_figure(surfaces.measures),
        ),
        tables=(line_table(caption, summary.to_dict("records"), columns),),
    )
    files = {
        "boundary": summary,
        "boundary-by-seed": surfaces.measures,
        "boundary-profile": profiles,
    }
    lead = SENTENCES.text("demonstration.boundary_lead")
    return Section("figure-1", "Figure 1: the boundary around a ring", lead, (block,), files)


def _samples_section(copied: pd.DataFrame, claim: samples.CopiesClaim, scale: Scale) -> Section:
    neighbours = generated_data.clouds(generated_data.NEIGHBOURS, derive_seed(SEED, "neighbours"))
    plan_seed = derive_seed(SEED, "neighbours", "plan")
    batches = samples.visible_batches(neighbours, seed=plan_seed, epochs=scale.draws)
    half_moons = generated_data.moons(derive_seed(SEED, "moons", 0))
    means = copied.set_index("strategy").to_dict("index")
    caption = (
        f"The half-moons, means over {counted(scale.seeds, 'seed')} and "
        f"{counted(scale.draws, 'epoch')} each; a row counts as rare where more than half "
        "of its label does"
    )
    columns = (
        _STRATEGY,
        _number("rows", "rare rows an epoch", 0),
        _number("distinct", "different ones", 0),
        _share("copy_share", "within 1 % of a real row"),
        _share("outside_share", "outside the hull"),
        _share("soft_share", "soft labels, of all rows"),
        _share("smoted_share", "batches with a blend inside a class by SMOTE"),
    )
    facts = claim, means, generated_data.MINORITY, BATCH_SIZE * boundary.SHARES[1]
    block = Block(
        text=SENTENCES.paragraphs("demonstration.samples", *facts),
        pictures=(
            plane_figures.segment_figure(neighbours, batches),
            plane_figures.spread_figure(half_moons, seed=derive_seed(SEED, "moons 0", "plan")),
        ),
        tables=(line_table(caption, copied.to_dict("records"), columns),),
    )
    lead = SENTENCES.text("demonstration.samples_lead")
    title = "Figures 2 and 3: the rows that SMOTE and ReMix make"
    return Section("figures-2-3", title, lead, (block,), {"samples": copied})


def _density_section(scale: Scale) -> Section:
    result = blends.densities(scale)
    lines = result.table.to_dict("records")
    columns = (
        Column[Line]("alpha", lambda line: plain(line["alpha"])),
        _share("soft_share", "soft labels"),
        _share("middle_share", "features in the middle"),
        _share("untouched_share", "within 1 % of a real row"),
        _number("mean_label", "mean label of the rare class"),
    )
    softens = result.table["soft_share"].is_monotonic_increasing
    facts = result.table.iloc[0], result.table.iloc[-1], softens, blends.SOFT, blends.MIDDLE
    block = Block(
        text=SENTENCES.paragraphs("demonstration.densities", *facts),
        pictures=(blends.density_figure(result),),
        tables=(line_table("Shares of all ReMix rows", lines, columns),),
    )
    files = {
        "densities": result.table,
        "densities-features": _curves(
            {"feature": result.x, "data": result.natural}, result.features
        ),
        "densities-labels": _curves({"label": result.labels_at}, result.labels),
    }
    lead = SENTENCES.text("demonstration.densities_lead")
    title = "Figure 4: what alpha does to rows and labels"
    return Section("figure-4", title, lead, (block,), files)


def _blend_section(scale: Scale) -> Section:
    studies = blends.study_blends(scale)
    columns = (
        _STRATEGY,
        _share("contradicted", "rows against the data"),
        _share("middle", "middle class found"),
        _number("g_mean", "g-mean"),
    )
    tables, files = [], {}
    for study in studies:
        caption = (
            f"{study.title}: rows against the data, and scores of networks on new rows with "
            "classes of equal size"
        )
        summary = study.contradicted.merge(_means_over_seeds(study.scores), on="strategy")
        tables.append(line_table(caption, summary.to_dict("records"), columns))
        files[f"blends-{study.name}"] = study.contradicted
        files[f"blends-{study.name}-scores"] = study.scores
    block = Block(
        text=SENTENCES.paragraphs("demonstration.blends", studies, blends.FAINT_LABEL),
        pictures=(plane_figures.blend_figure(studies), *map(blends.blend_curves, studies)),
        tables=tuple(tables),
    )
    lead = SENTENCES.text("demonstration.blends_lead")
    title = "Figure 8: blends that speak against the data"
    return Section("figure-8", title, lead, (block,), files)


def _method_section(scale: Scale) -> Section:
    labels = [strategy.label for strategy in boundary.STRATEGIES]
    facts = SEED, labels, BATCH_SIZE, HIDDEN, scale.epochs
    text = SENTENCES.paragraphs("demonstration.method", *facts)
    return Section("how", "How it was made", "", (Block(text=text),))


def _means_over_seeds(frame: pd.DataFrame) -> pd.DataFrame:
    """Average over seeds, with standard deviations in columns `_sd`, one line a strategy."""
    by_strategy = frame.drop(columns="seed").groupby("strategy", sort=False)
    return by_strategy.mean().join(by_strategy.std().add_suffix("_sd")).reset_index()


def _curves(columns: Mapping[str, Points], by_alpha: Mapping[float, Points]) -> pd.DataFrame:
    named = {f"alpha {alpha:g}": values for alpha, values in by_alpha.items()}
    return pd.DataFrame({**columns, **named})


def _strategy_cell(line: Line) -> Cell:
    label = str(line["strategy"])
    is_truth = label in (boundary.TRUTH, boundary.NATURAL_TRUTH)
    return Cell(label, kind="name", color="" if is_truth else boundary.label_color(label))


_STRATEGY = Column("strategy", _strategy_cell)


def _share(name: str, head: str) -> Column[Line]:
    """A column of shares in per cent, with the standard deviation where the line has one."""
    return Column(head, lambda line: Cell(percent(line[name]), _spread(line, name, 1, 100)))


def _number(name: str, head: str, digits: int = 3) -> Column[Line]:
    """A column of numbers, with the standard deviation where the line has one."""
    return Column(head, lambda line: Cell(number(line[name], digits), _spread(line, name, digits)))


def _spread(line: Line, name: str, digits: int, factor: float = 1) -> str:
    spread = line.get(f"{name}_sd", math.nan)
    return "" if math.isnan(spread) else f"± {number(factor * spread, digits)}"
