"""Built-in study files of the paper's evaluation: problems, methods, and how they differ."""

from __future__ import annotations

import runpy
from pathlib import Path

from remix_study.study.configurations import grid_configurations, label_of
from remix_study.studyfile.parsing import built_in_studies, load_study, parse_study

PUBLISHED = ["baseline", "cost", "smote", "mixup (0.1)", "remix (0.1)"]


class TestStudyFiles:
    def study(self, name):
        return load_study(built_in_studies()[name])

    def problems(self, name):
        return [
            (spec.dataset, spec.kind, spec.minority, ratio, spec.training)
            for spec in self.study(name).problems
            for ratio in spec.imbalance
        ]

    def methods(self, name):
        return [
            label_of(parameters)
            for parameters in grid_configurations(self.study(name).search.space)
        ]

    def test_the_same_27_problems_everywhere(self):
        paper = self.problems("paper-binary") + self.problems("paper-multiclass")
        assert len(paper) == 27
        assert self.problems("rivals") == self.problems("robustness") == paper
        repo = self.problems("paper-repo")
        assert repo[:18] == paper[:18]
        assert [p[:3] for p in repo[18:]] == [p[:3] for p in paper[18:]]
        assert [p[3] for p in repo[18:]] == [0.05, 0.025, 0.01] * 3
        grouped = self.problems("robustness-grouped")
        assert grouped == [p for p in paper if p[0] in ("musk", "seizure")]
        assert len(grouped) == 9

    def test_methods(self):
        assert self.methods("paper-repo") == [
            "baseline", "cost-repo", "smote-repo", "mixup (0.1)", "remix-repo (0.1)",
        ]  # fmt: skip
        assert self.methods("rivals") == [
            "undersample", "smote-dataset", "focal", "class-balanced", "remix-chou (0.1)",
            "balanced-mixup (0.1)",
        ]  # fmt: skip
        for name in ("robustness", "robustness-grouped"):
            assert self.methods(name) == PUBLISHED

    def test_differences(self):
        cv = {name: self.study(name).cv for name in built_in_studies()}
        assert [name for name in cv if cv[name].redraw] == ["robustness"]
        assert [name for name in cv if cv[name].grouped] == ["robustness-grouped", "text"]
        assert self.study("paper-repo").extra_metrics == ("brier_repo",)

    def test_specifications(self):
        """Width by alpha on the paper's problems; each further file has one other choice."""
        paper = self.problems("paper-binary") + self.problems("paper-multiclass")
        few = self.problems("specification")
        assert self.problems("capacity-multiclass") == paper[18:]
        assert self.problems("capacity-binary") == [p for p in few if p[1] == "binary"]
        assert set(map(str, few)) <= set(map(str, paper))
        assert {p[0] for p in few} == {p[0] for p in paper}
        script = Path(__file__).parents[2] / "reports" / "capacity" / "specifications.py"
        module = runpy.run_path(str(script))
        base = self.study("specification")
        for choice in module["CHOICES"]:
            study = parse_study(module["study_text"](choice))
            assert study.name == f"specification-{choice}"
            settings = study.cv, study.model, study.problems, study.search
            assert settings != (base.cv, base.model, base.problems, base.search)
