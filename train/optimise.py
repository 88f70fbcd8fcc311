# SPDX-License-Identifier: LGPL-2.1-or-later
"""The optimiser: Adam in the eigenbasis of Shampoo's preconditioners (SOAP, arXiv 2409.11321); soap.c.

A chain network has few weights and costs much for each of them, so second-order help is free: each
kernel is a matrix [9 * inputs, outputs] whose gradients' two covariances are averaged; Adam runs in
their eigenvectors, which orthogonal iteration keeps up to date.  Biases (and the scales of activations)
get plain Adam.  `soap=False` is Adam throughout.
"""
import ctypes

import numpy as np

import core


class Adam:
    def __init__(self, shape, beta1=0.9, beta2=0.99):
        self.m, self.v = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self.beta1, self.beta2, self.steps = beta1, beta2, 0

    def step(self, grad):
        """The direction to go against, about 1 in size."""
        self.steps += 1
        self.m += (1 - self.beta1) * (grad - self.m)
        self.v += (1 - self.beta2) * (grad * grad - self.v)
        first, second = 1 - self.beta1**self.steps, 1 - self.beta2**self.steps
        return self.m / first / (np.sqrt(self.v / second) + 1e-12)


class Matrix:
    """SOAP for one [a, b] matrix."""

    def __init__(self, shape, beta1=0.9, beta2=0.98, beta=0.98, every=10):
        self.a, self.b = shape
        self.betas, self.every, self.steps = (beta1, beta2, beta), every, 0
        self.left, self.right = np.zeros((self.a, self.a), np.float32), np.zeros((self.b, self.b), np.float32)
        self.m, self.v = np.zeros(shape, np.float32), np.zeros(shape, np.float32)

    def begin(self, grad):
        """The first gradient's own eigenvectors, one in each row."""
        self.left_basis, self.right_basis = (np.ascontiguousarray(np.linalg.eigh(x)[1][:, ::-1].T, np.float32)
                                             for x in (grad @ grad.T, grad.T @ grad))
        self.state = core.Soap(self.a, self.b, *(core.pointer(x) for x in (
            self.left, self.right, self.left_basis, self.right_basis, self.m, self.v)))

    def step(self, grad):
        if self.steps == 0:
            self.begin(grad)
        move = np.empty_like(grad)
        core.LIBRARY.soap_step(ctypes.byref(self.state), core.pointer(grad), core.pointer(move),
                               ctypes.c_long(self.steps), *map(ctypes.c_float, self.betas), self.every)
        self.steps += 1
        return move


class Optimiser:
    """Moves a Net's flat parameter vector in place."""

    def __init__(self, net, params, soap=True):
        self.net, self.params = net, params
        self.parts = []
        for kernel, bias in net.views(params):
            shape = (kernel.size // kernel.shape[3], kernel.shape[3])
            self.parts.append((Matrix(shape) if soap else Adam(shape), Adam(bias.shape)))

    def step(self, grad, rate, bias_rate=None):
        views = zip(self.net.views(self.params), self.net.views(grad), self.parts)
        for i, ((kernel, bias), (kernel_grad, bias_grad), (moves, shifts)) in enumerate(views):
            if i == 0:
                kernel_grad = kernel_grad - kernel_grad.mean((0, 1))
            move = moves.step(np.ascontiguousarray(kernel_grad.reshape(-1, kernel_grad.shape[3])))
            kernel -= rate * move.reshape(kernel.shape)
            bias -= (rate if bias_rate is None else bias_rate) * shifts.step(bias_grad)
            if i == 0:
                kernel -= kernel.mean((0, 1))
