"""The same training by PyTorch: a loop over the folds, and all folds stacked by hand.

Both take this package's batches, so that they do the same work: the steps of the same epochs, the
same network with its dropout, Adam, the validation loss after every epoch, and the weights of the
best epoch.
"""

from __future__ import annotations

import itertools
import time
from typing import Any

from cases import DROPOUT, MEMBERS, Case, Size, make_configuration, make_task
from clock import Clock, Round, Work, by_folds, repeated

_RATE = 1e-3


def loop(case: Case, size: Size, strategy: str) -> Work:
    """The usual loop: a new `torch.nn.Sequential` a fold, batches by indexing."""
    import torch
    from torch.nn.functional import one_hot

    from remix_study.batches.plan import plan_epoch

    # Its products are too small for two.
    torch.set_num_threads(1)
    task = make_task(case, size)
    prepared, members = task.members.preprocessing, task.members.members
    chosen = make_configuration(task, strategy).strategy
    labels = one_hot(torch.from_numpy(task.problem.y.astype("int64"))).float()
    loss_of = torch.nn.CrossEntropyLoss()

    def fit_fold(position: int, times: Round) -> None:
        X = torch.from_numpy(prepared.apply(position, task.problem.X))
        validation = torch.from_numpy(task.folds[position].validation)
        clock = Clock(1)
        layers: list[Any] = []
        widths = (case.features, *case.hidden)
        for place, (inputs, units) in enumerate(itertools.pairwise(widths)):
            layers += [torch.nn.Linear(inputs, units), torch.nn.ReLU()]
            if place < len(case.hidden) - 1:
                layers.append(torch.nn.Dropout(DROPOUT))
        model = torch.nn.Sequential(*layers, torch.nn.Linear(widths[-1], 2))
        adam = torch.optim.Adam(model.parameters(), _RATE, fused=True)
        lowest, best = float("inf"), None
        for epoch in range(size.epochs):
            member = members[position]
            drawn = plan_epoch(
                chosen, member.training, batch_size=case.batch, seed=member.seed, epoch=epoch
            )
            plan = [torch.from_numpy(a) for a in (drawn.first, drawn.second)]
            shares = [torch.from_numpy(a)[..., None] for a in (drawn.weight, drawn.label_weight)]
            model.train()
            for first, second, share, label in zip(*plan, *shares, strict=True):
                x = share * X[first] + (1 - share) * X[second]
                target = label * labels[first] + (1 - label) * labels[second]
                adam.zero_grad()
                loss_of(model(x), target).backward()
                adam.step()
            model.eval()
            with torch.no_grad():
                loss = float(loss_of(model(X[validation]), labels[validation]))
            if loss < lowest:
                lowest, best = loss, [v.detach().clone() for v in model.parameters()]
            clock.mark(1)
        assert best
        clock.add_to(times)

    return by_folds(fit_fold, size)


def stacked(case: Case, size: Size, strategy: str) -> Work:
    """All folds at once by batched products, as a user who knows them writes it."""
    import numpy as np
    import torch
    from torch.nn.functional import dropout, log_softmax, one_hot, relu

    from remix_study.batches.plan import StackPlanner

    task = make_task(case, size)
    prepared, members = task.members.preprocessing, task.members.members
    chosen = make_configuration(task, strategy).strategy
    # Each fold standardises all rows by its own training rows.
    X = torch.from_numpy(
        np.stack([prepared.apply(m, task.problem.X) for m in range(MEMBERS)]).astype(np.float32)
    )
    labels = one_hot(torch.from_numpy(task.problem.y.astype("int64"))).float()
    member = torch.arange(MEMBERS)[:, None]
    shortest = min(len(fold.validation) for fold in task.folds)
    validation = torch.from_numpy(np.stack([f.validation[:shortest] for f in task.folds]))
    X_validation, y_validation = X[member, validation], labels[validation]
    planner = StackPlanner(
        [chosen] * MEMBERS,
        [m.training for m in members],
        [m.seed for m in members],
        batch_size=case.batch,
    )
    widths = (case.features, *case.hidden, 2)

    def first_weights() -> list[Any]:
        weights = []
        for inputs, units in itertools.pairwise(widths):
            bound = (6 / (inputs + units)) ** 0.5
            weights.append(torch.empty(MEMBERS, inputs, units).uniform_(-bound, bound))
            weights.append(torch.zeros(MEMBERS, 1, units))
        return [w.requires_grad_() for w in weights]

    def logits(weights: list[Any], x: Any, training: bool) -> Any:
        layers = list(zip(weights[::2], weights[1::2], strict=True))
        for place, (kernel, bias) in enumerate(layers[:-1]):
            x = relu(torch.baddbmm(bias, x, kernel))
            if place < len(case.hidden) - 1:
                x = dropout(x, DROPOUT, training)
        kernel, bias = layers[-1]
        return torch.baddbmm(bias, x, kernel)

    def trial(times: Round) -> None:
        clock = Clock(MEMBERS)
        weights = first_weights()
        adam = torch.optim.Adam(weights, _RATE, fused=True)
        lowest = torch.full((MEMBERS,), float("inf"))
        best = [w.detach().clone() for w in weights]
        for epoch in range(size.epochs):
            drawn = planner.plan(epoch)
            plan = [torch.from_numpy(a) for a in (drawn.first, drawn.second)]
            shares = [torch.from_numpy(a)[..., None] for a in (drawn.weight, drawn.label_weight)]
            for step in range(drawn.first.shape[1]):
                first, second, share, label = (a[:, step] for a in (*plan, *shares))
                x = share * X[member, first] + (1 - share) * X[member, second]
                target = label * labels[first] + (1 - label) * labels[second]
                adam.zero_grad()
                log_p = log_softmax(logits(weights, x, True), 2)
                (-(target * log_p).sum() / case.batch).backward()
                adam.step()
            with torch.no_grad():
                log_p = log_softmax(logits(weights, X_validation, False), 2)
                loss = -(y_validation * log_p).sum(2).mean(1)
                improved = loss < lowest
                lowest = torch.where(improved, loss, lowest)
                for best_weight, weight in zip(best, weights, strict=True):
                    best_weight[improved] = weight[improved]
            clock.mark(MEMBERS)
        clock.add_to(times)

    return repeated(trial)


def realmlp(case: Case, size: Size, _strategy: str) -> Work:
    """pytabkit's RealMLP, all splits in one vectorised model: the same widths, no strategy.

    It cannot leave rows out of a split. So it gets as many rows as a fold has to train and to
    validate, and a split of them for each fold: the steps and rows are those of the others. Its
    layers are its own (scaled inputs, its parametrisation, label smoothing).
    """
    import numpy as np
    from pytabkit import RealMLP_TD_S_Classifier

    task = make_task(case, size)
    fold = task.folds[0]
    rows = np.concatenate([fold.train, fold.validation])
    X, y = task.problem.X[rows].astype(np.float32), task.problem.y[rows]
    rng = np.random.default_rng(0)
    splits = [rng.permutation(len(rows))[: len(fold.validation)] for _ in range(MEMBERS)]

    def seconds(epochs: int) -> tuple[float, float]:
        model = RealMLP_TD_S_Classifier(
            device="cpu",
            n_cv=MEMBERS,
            n_refit=0,
            n_epochs=epochs,
            batch_size=case.batch,
            hidden_sizes=list(case.hidden),
            p_drop=DROPOUT,
            verbosity=0,
        )
        began, cpu = time.perf_counter(), time.process_time()
        model.fit(X, y, val_idxs=np.stack(splits))
        return time.perf_counter() - began, time.process_time() - cpu

    def trial(times: Round) -> None:
        # What it needs before and after its epochs is left out.
        short, long = seconds(1), seconds(1 + size.epochs)
        for name, a, b in zip(("wall", "cpu"), short, long, strict=True):
            times[name].append((b - a) * 1e3 / size.epochs / MEMBERS)
        times["first"].append(short[0] / MEMBERS)

    return repeated(trial)
