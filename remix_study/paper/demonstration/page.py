"""The page of the demonstration, written as a folder with figures, tables and manifest."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pandas as pd

from remix_study.paper.demonstration.blend_figures import (
    blend_curves,
    blend_figure,
    density_figure,
)
from remix_study.paper.demonstration.blends import TRAINED, study_blends
from remix_study.paper.demonstration.boundary import (
    NATURAL_TRUTH,
    STRATEGIES,
    TRUTH,
    BoundaryClaim,
    Surfaces,
    judge_boundary,
    radial_profiles,
    train_surfaces,
)
from remix_study.paper.demonstration.boundary_figures import (
    profile_figure,
    seed_figure,
    surface_figure,
)
from remix_study.paper.demonstration.densities import densities
from remix_study.paper.demonstration.generated_data import NEIGHBOURS, clouds, moons
from remix_study.paper.demonstration.networks import HIDDEN
from remix_study.paper.demonstration.sample_figures import (
    segment_figure,
    shown_batches,
    spread_figure,
)
from remix_study.paper.demonstration.samples import copy_means, judge_copies
from remix_study.paper.demonstration.scale import BATCH_SIZE, FULL, SEED, Scale
from remix_study.paper.demonstration.sentences import (
    blend_lines,
    boundary_headline,
    boundary_lines,
    density_lines,
    sample_lines,
)
from remix_study.paper.demonstration.tables import Column, frame_table, means_over_seeds
from remix_study.report.formatting import counted, listing
from remix_study.report.page_files import PAGE_ONLY, Formats, publish, write_page
from remix_study.report.page_model import Block, Section
from remix_study.seeds import derive_seed


def write_demonstration(
    output: Path,
    *,
    command: str,
    scale: Scale = FULL,
    formats: Formats = PAGE_ONLY,
) -> Path:
    """Draw the data, train the networks and write the page of the demonstration.

    Args:
        output: the folder, as :func:`remix_study.report.page.write_report` takes it.
        command: the command line, for the page and the manifest.
        scale: how much is drawn and trained.
        formats: what is written beside the page and its CSV tables.

    Returns:
        The path of `index.html`.

    Raises:
        UsageError: the folder cannot be written or holds other files.
    """

    def write(folder: Path) -> None:
        surfaces = train_surfaces(scale)
        copied = copy_means(scale)
        claim = judge_boundary(surfaces.measures)
        sections = [
            _boundary_section(surfaces, claim),
            _samples_section(copied, scale),
            _density_section(scale),
            _blend_section(scale),
            _method_section(scale),
        ]
        networks = scale.seeds * (len(STRATEGIES) + 2 * len(TRAINED))
        write_page(
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
                    "copies": asdict(judge_copies(copied, scale.seeds)),
                },
            },
            formats=formats,
        )

    return publish(output, write)


def _boundary_section(surfaces: Surfaces, claim: BoundaryClaim) -> Section:
    summary = means_over_seeds(surfaces.measures)
    columns = (
        Column("minority_share", "plane called rare", share=True, sd="minority_share_sd"),
        Column("steepness", "steepness", 2, sd="steepness_sd"),
        Column("slope", "mean |grad p|", sd="slope_sd"),
        Column("band_share", "plane in doubt", share=True, sd="band_share_sd"),
        Column("error_equal", "distance from truth, equal shares", sd="error_equal_sd"),
        Column("error_natural", "distance from truth, shares as they are",
                sd="error_natural_sd"),
    )  # fmt: skip
    networks = summary[~summary["strategy"].isin([TRUTH, NATURAL_TRUTH])]
    truth = summary[~summary.index.isin(networks.index)]
    block = Block(
        headline=boundary_headline(claim),
        text=boundary_lines(surfaces.measures),
        pictures=(
            surface_figure(surfaces),
            profile_figure(radial_profiles(surfaces)),
            seed_figure(surfaces.measures),
        ),
        tables=(
            frame_table(
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
        "boundary-by-seed": surfaces.measures,
        "boundary-profile": radial_profiles(surfaces),
    }
    return Section("figure-1", "Figure 1: the boundary around a ring", lead, (block,), files)


def _samples_section(copied: pd.DataFrame, scale: Scale) -> Section:
    neighbours = clouds(NEIGHBOURS, derive_seed(SEED, "neighbours"))
    batches = shown_batches(
        neighbours, seed=derive_seed(SEED, "neighbours", "plan"), epochs=scale.draws
    )
    half_moons = moons(derive_seed(SEED, "moons", 0))
    columns = (
        Column("rows", "rare rows an epoch", 0),
        Column("distinct", "different ones", 0),
        Column("copy_share", "within 1 % of a real row", share=True),
        Column("outside_share", "outside the hull", share=True),
        Column("soft_share", "soft labels, of all rows", share=True),
        Column("smoted_share", "batches with a blend inside a class by SMOTE", share=True),
    )
    block = Block(
        text=sample_lines(copied),
        pictures=(
            segment_figure(neighbours, batches),
            spread_figure(half_moons, seed=derive_seed(SEED, "moons 0", "plan")),
        ),
        tables=(
            frame_table(
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
    result = densities(scale)
    columns = (
        Column("soft_share", "soft labels", share=True),
        Column("middle_share", "features in the middle", share=True),
        Column("untouched_share", "within 1 % of a real row", share=True),
        Column("mean_label", "mean label of the rare class"),
    )
    block = Block(
        text=density_lines(result.table),
        pictures=(density_figure(result),),
        tables=(frame_table("Shares of all ReMix rows", result.table, columns),),
    )
    lead = (
        "ReMix on a common and a rare Gaussian, 1,000 rows around 0 and 50 around 4. Left the "
        "feature, right the label; ticks are real rows."
    )
    curves = pd.DataFrame({"feature": result.x, "data": result.natural}).assign(
        **{f"alpha {alpha:g}": values for alpha, values in result.features.items()}
    )
    labels = pd.DataFrame({"label": result.labels_at}).assign(
        **{f"alpha {alpha:g}": values for alpha, values in result.labels.items()}
    )
    files = {
        "densities": result.table,
        "densities-features": curves,
        "densities-labels": labels,
    }
    title = "Figure 4: what alpha does to rows and labels"
    return Section("figure-4", title, lead, (block,), files)


def _blend_section(scale: Scale) -> Section:
    studies = study_blends(scale)
    names = ("two-clusters", "three-classes")
    tables = []
    for study in studies:
        summary = study.contradicted.merge(means_over_seeds(study.scores), on="strategy")
        tables.append(
            frame_table(
                f"{study.title}: rows against the data, and scores of networks on new rows with "
                "classes of equal size",
                summary,
                (
                    Column("contradicted", "rows against the data", share=True),
                    Column("middle", "middle class found", share=True, sd="middle_sd"),
                    Column("g_mean", "g-mean", sd="g_mean_sd"),
                ),
            )
        )
    block = Block(
        text=blend_lines(studies),
        pictures=(
            blend_figure(studies),
            *(blend_curves(study, name) for study, name in zip(studies, names, strict=True)),
        ),
        tables=tuple(tables),
    )
    lead = (
        "A blend of two rows can land where another class lives, and no share of its label says "
        "so. Circles mark such rows in one batch of ReMix at alpha 0.5. Bands below are the range "
        "over seeds."
    )
    files = {}
    for study, name in zip(studies, names, strict=True):
        files[f"blends-{name}"] = study.contradicted
        files[f"blends-{name}-scores"] = study.scores
    title = "Figure 8: blends that speak against the data"
    return Section("figure-8", title, lead, (block,), files)


def _method_section(scale: Scale) -> Section:
    strategies = listing([strategy.label for strategy in STRATEGIES])
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
