# SPDX-License-Identifier: LGPL-2.1-or-later
"""The optimiser: Adam in the eigenbasis of Shampoo's preconditioners (SOAP, arXiv 2409.11321), in numpy.

A chain network has few weights and costs much for each of them, so second-order help is free: each
kernel is a matrix [9 * inputs, outputs] whose gradients' two covariances are averaged; Adam runs in
their eigenvectors, which a power step and a QR keep up to date.  Biases (and the scales of activations)
get plain Adam.  `soap=False` is Adam throughout.
"""
import numpy as np

from core import product


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
        a, b = shape
        self.adam = Adam(shape, beta1, beta2)
        self.left, self.right = np.zeros((a, a), np.float32), np.zeros((b, b), np.float32)
        self.left_basis, self.right_basis = None, None
        self.beta, self.every = beta, every

    def rotate(self, x):
        return product(product(self.left_basis.T, x), self.right_basis)

    def unrotate(self, x):
        return product(product(self.left_basis, x), self.right_basis.T)

    def refresh(self):
        """A step of orthogonal iteration; the momentum moves to the new basis, and the columns keep their order."""
        momentum = self.unrotate(self.adam.m)
        for side, basis in ((self.left, "left_basis"), (self.right, "right_basis")):
            setattr(self, basis, np.linalg.qr(product(side, getattr(self, basis)))[0].astype(np.float32))
        self.adam.m = self.rotate(momentum)

    def step(self, grad):
        weight = max(1 - self.beta, 1 / (self.adam.steps + 1))
        self.left += weight * (product(grad, grad.T) - self.left)
        self.right += weight * (product(grad.T, grad) - self.right)
        if self.left_basis is None:
            self.left_basis = np.linalg.eigh(self.left)[1][:, ::-1].astype(np.float32)
            self.right_basis = np.linalg.eigh(self.right)[1][:, ::-1].astype(np.float32)
        elif self.adam.steps % self.every == 0:
            self.refresh()
        return self.unrotate(self.adam.step(self.rotate(grad)))


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
