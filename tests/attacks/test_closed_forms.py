"""Every attack on a linear denoiser against its formula, written down in float64 numpy.

The model runs in float32: 1e-5 of the figure's size for what is one forward deep, measured at a
quarter of that.
"""

from __future__ import annotations

import numpy as np
import pytest

TIMES = [440, 450, 460]
ABAR = np.cumprod(1 - np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2)


def thirds(captions):
    parts = []
    for i in range(3):
        cut = [(i * len(c) // 3, (i + 1) * len(c) // 3 if i < 2 else len(c)) for c in captions]
        parts.append([c[start:end] for c, (start, end) in zip(captions, cut, strict=True)])
    return parts


def close(found, wanted, tolerance=1e-5):
    """Within this share of the figure's root mean square."""
    wanted = np.asarray(wanted)
    assert found.shape == wanted.shape
    assert abs(found - wanted).max() < tolerance * np.sqrt((wanted**2).mean())


@pytest.mark.parametrize(("call", "t"), [("loss", 450), ("loss[t=350]", 350), ("loss[t=3]", 3)])
def test_loss(attack, linear, pairs, call, t):
    close(attack(call).features(linear.target(), pairs)[:, 0], -linear.loss(t))


def test_mc(attack, linear, pairs):
    found = attack("mc").features(linear.target(), pairs)
    close(found[:, 0], -np.mean([linear.loss(t) for t in TIMES], axis=0))


@pytest.mark.parametrize(
    ("call", "t", "p", "scaled"),
    [
        ("pia", 500, 4, False),
        ("pian", 500, 4, True),
        ("pia[t=200,p=2]", 200, 2, False),
        ("pian[p=1]", 500, 1, True),
    ],
)
def test_pia_and_pian(attack, linear, pairs, call, t, p, scaled):
    mu, z = linear.mu(), linear.z0()
    first = linear.eps(z, 0, mu)
    if scaled:  # so that the mean of |.| is a unit Gaussian's
        first *= np.sqrt(2 / np.pi) / abs(first).mean(axis=(1, 2, 3), keepdims=True)
        assert abs(first).mean() == pytest.approx(0.79788456)
    again = linear.eps(ABAR[t] ** 0.5 * z + (1 - ABAR[t]) ** 0.5 * first, t, mu)
    distance = (abs(first - again) ** p).sum(axis=(1, 2, 3)) ** (1 / p)
    close(attack(call).features(linear.target(), pairs)[:, 0], -distance)


def secmi_error(linear, t, k):
    """Up from z_0 to t and t + k, and back to t: the difference there."""
    mu, z = linear.mu(), linear.z0()

    def phi(z, start, end):
        said = linear.eps(z, start, mu)
        clean = (z - (1 - ABAR[start]) ** 0.5 * said) / ABAR[start] ** 0.5
        return ABAR[end] ** 0.5 * clean + (1 - ABAR[end]) ** 0.5 * said

    for r in range(0, t, k):
        z = phi(z, r, r + k)
    return phi(phi(z, t, t + k), t + k, t) - z


@pytest.mark.parametrize(("t", "k"), [(100, 10), (140, 10), (90, 30)])
def test_secmi(attack, linear, pairs, t, k):
    error = secmi_error(linear, t, k)
    target = linear.target()
    found = attack(f"secmi[t={t},k={k}]").features(target, pairs)
    close(found[:, 0], -(error**2).mean(axis=(1, 2, 3)))


def test_secmi_nns_keeps_the_whole_map_of_absolute_errors(attack, linear, pairs):
    found = attack("secmi_nns").features(linear.target(), pairs)
    wanted = abs(secmi_error(linear, 100, 10))
    assert abs(found - wanted.reshape(24, -1)).max() < 1e-5 * wanted.max()


@pytest.mark.parametrize(
    ("call", "first", "crop", "ratio"),
    [
        ("pfami", 1, 0.825, False),
        ("pfami[mode=ratio]", 1, 0.825, True),
        ("pfami[first=0,crop=0.811,mode=ratio]", 0, 0.811, True),
        ("pfami[crop=0.6]", 1, 0.6, False),
    ],
)
def test_pfami(attack, linear, pairs, call, first, crop, ratio):
    made = attack(call)
    found = made.features(linear.target(), pairs)
    columns = []
    for t in range(first, first + 500, 50):
        plain, cropped = linear.loss(t), linear.loss(t, crop=crop)
        columns.append((cropped - plain) / (plain if ratio else 1))
    close(found, np.stack(columns, axis=1))
    close(made.score(found), np.mean(columns, axis=0))


def test_pfami_with_a_reference_subtracts_its_fluctuation(attack, ask, linear, reference, pairs):
    made = attack("pfami[reference=base]")
    found = made.score(ask(made, linear.target(), pairs, reference.target()))
    rises = [
        np.mean([m.loss(t, crop=0.825) - m.loss(t) for t in range(1, 500, 50)], axis=0)
        for m in (linear, reference)
    ]
    close(found, rises[0] - rises[1], 5e-5)


def test_pfami_nn_maps_ratios_by_crop_and_timestep(attack, linear, pairs):
    found = attack("pfami_nn").features(linear.target(), pairs).reshape(24, 10, 10)
    for row in (0, 5, 9):
        crop = np.linspace(0.95, 0.70, 10)[row]
        for column in (0, 4, 9):
            plain = linear.loss(50 * column)
            wanted = linear.loss(50 * column, crop=crop) / plain - 1
            assert abs(found[:, row, column] - wanted).max() < 1e-5 * abs(1 + wanted).max()


@pytest.mark.parametrize("call", ["clid_th", "clid_vec"])
@pytest.mark.parametrize("reduction", ["clip", "noise", "null"])
def test_clid(attack, linear, pairs, call, reduction):
    found = attack(f"{call}[reduction={reduction}]").features(linear.target(), pairs)
    asked = [{"captions": [""] * 24}]
    if reduction == "clip":
        asked = [{"captions": part} for part in thirds(pairs.captions)] + asked
    if reduction == "noise":
        asked = [{"text_noise": scale} for scale in (0.5, 0.7, 0.9)] + asked
    full = np.mean([linear.loss(t) for t in TIMES], axis=0)
    close(found[:, 0], -full)
    for column, condition in enumerate(asked, start=1):
        reduced = np.mean([linear.loss(t, **condition) for t in TIMES], axis=0)
        close(found[:, column], reduced - full)
    assert found.shape[1] == 1 + len(asked)


@pytest.mark.parametrize(
    ("m", "n", "of_loss", "of_difference"),
    [
        (1, 1, [450], [450]),
        (3, 1, [440, 450, 460], [450]),
        (1, 3, [450], [440, 450, 460]),
        (5, 3, [430, 440, 450, 460, 470], [440, 450, 460]),
        (0, 3, [], [440, 450, 460]),
        (5, 0, [430, 440, 450, 460, 470], []),
    ],
)
def test_clid_with_other_draws_subtracts_the_loss_at_the_same_ones(
    attack, linear, pairs, m, n, of_loss, of_difference
):
    """Spec 2.6: with N != M a paired difference takes the matching subset. Figure 3's (M, 0)."""
    made, target = attack(f"clid_th[reduction=null,m={m},n={n}]"), linear.target()
    found = made.features(target, pairs)
    assert target.queries == made.queries * 24 == (max(m, n) + n) * 24
    loss = -np.mean([linear.loss(t) for t in of_loss], axis=0) if m else np.zeros(24)
    assert np.allclose(found[:, 0], loss, rtol=1e-5, atol=0)
    assert found.shape == (24, 2 if n else 1)
    if n:
        wanted = [linear.loss(t, [""] * 24) - linear.loss(t) for t in of_difference]
        close(found[:, 1], np.mean(wanted, axis=0))


@pytest.mark.parametrize("count", [3, 11])
def test_ref_loss_and_ref_align(attack, ask, linear, reference, pairs, count):
    times = TIMES if count == 3 else range(400, 501, 10)
    ratios, cosines = [], []
    for t in times:
        noise, mine, theirs = linear.noise(t), linear.own(t), reference.own(t)
        moved, lacked = mine - theirs, noise - theirs
        size = [(x**2).sum(axis=(1, 2, 3)) for x in (lacked, noise - mine, moved)]
        ratios.append(np.log(size[0] / size[1]))
        cosines.append((moved * lacked).sum(axis=(1, 2, 3)) / np.sqrt(size[0] * size[2]))
    for name, wanted in (("ref_loss", ratios), ("ref_align", cosines)):
        made = attack(f"{name}[count={count}]")
        found = ask(made, linear.target(), pairs, reference.target())
        close(found, np.stack(wanted, axis=1))
        close(made.score(found), np.mean(wanted, axis=0))
