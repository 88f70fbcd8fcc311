/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One step of SOAP for a matrix [a][b] (optimise.py says what that is), in float32.
 *
 * `left` and `right` are the averaged covariances of the gradient's rows and columns, `left_basis` and
 * `right_basis` their eigenvectors, one in each row; m and v are Adam's moments in that basis.  A refresh is
 * a step of orthogonal iteration: basis times covariance, then Gram-Schmidt in the order of the rows.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct soap {
    int a, b;
    float *left, *right, *left_basis, *right_basis, *m, *v;
};

/* c [n][m] += a [n][k] b [k][m] */
static void add_product(const float *restrict a, const float *restrict b, float *restrict c, int n, int k,
                        int m)
{
    for (int i = 0; i < n; i++)
        for (int l = 0; l < k; l++) {
            const float x = a[i * k + l];
            for (int j = 0; j < m; j++)
                c[i * m + j] += x * b[l * m + j];
        }
}

static void turn(const float *a, float *out, int n, int m)
{
    for (int i = 0; i < n; i++)
        for (int j = 0; j < m; j++)
            out[j * n + i] = a[i * m + j];
}

/* out = x a y, each [n][n] or [n][m] or [m][m]; `back`: x and y transposed */
static void around(const float *x, const float *a, const float *y, float *out, int n, int m, int back)
{
    float *tx = malloc(sizeof(float) * (n * n + m * m + n * m)), *ty = tx + n * n, *half = ty + m * m;
    if (!tx)
        abort();
    if (back)
        turn(x, tx, n, n), memcpy(ty, y, sizeof(float) * m * m);
    else
        memcpy(tx, x, sizeof(float) * n * n), turn(y, ty, m, m);
    memset(half, 0, sizeof(float) * n * m);
    memset(out, 0, sizeof(float) * n * m);
    add_product(tx, a, half, n, n, m);
    add_product(half, ty, out, n, m, m);
    free(tx);
}

static float dot(const float *a, const float *b, int n)
{
    float sum = 0;
    for (int i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void refresh(float *basis, const float *covariance, int n)
{
    float *next = malloc(sizeof(float) * n * n), trace = 1e-30f;
    if (!next)
        abort();
    for (int i = 0; i < n; i++)
        trace += covariance[i * n + i];
    /* a little of the old basis keeps directions without gradient where they are */
    for (int i = 0; i < n * n; i++)
        next[i] = basis[i] * (1e-6f * trace / n);
    add_product(basis, covariance, next, n, n, n);
    for (int i = 0; i < n; i++) {
        float *row = next + i * n;
        for (int again = 0; again < 2; again++) {
            for (int j = 0; j < i; j++) {
                const float *other = next + j * n, share = dot(row, other, n);
                for (int k = 0; k < n; k++)
                    row[k] -= share * other[k];
            }
            float length = 1 / sqrtf(dot(row, row, n) + 1e-38f);
            for (int k = 0; k < n; k++)
                row[k] *= length;
        }
    }
    memcpy(basis, next, sizeof(float) * n * n);
    free(next);
}

static void covariances(struct soap *s, const float *grad, float weight)
{
    const int a = s->a, b = s->b;
    float *turned = malloc(sizeof(float) * a * b), *scaled = malloc(sizeof(float) * a * b);
    if (!turned || !scaled)
        abort();
    turn(grad, turned, a, b);
    for (int i = 0; i < a * a; i++)
        s->left[i] *= 1 - weight;
    for (int i = 0; i < b * b; i++)
        s->right[i] *= 1 - weight;
    for (int i = 0; i < a * b; i++)
        scaled[i] = weight * grad[i];
    add_product(scaled, turned, s->left, a, b, a);
    add_product(turned, scaled, s->right, b, a, b);
    free(turned);
    free(scaled);
}

/* steps: those made before; move gets the direction to go against. */
void soap_step(struct soap *s, const float *grad, float *move, long steps, float beta1, float beta2,
               float beta, int every)
{
    const int n = s->a * s->b;
    float *here = malloc(sizeof(float) * n), weight = 1 - beta;
    if (!here)
        abort();
    covariances(s, grad, weight > 1.0f / (steps + 1) ? weight : 1.0f / (steps + 1));
    if (steps && steps % every == 0) {
        around(s->left_basis, s->m, s->right_basis, here, s->a, s->b, 1);
        refresh(s->left_basis, s->left, s->a);
        refresh(s->right_basis, s->right, s->b);
        around(s->left_basis, here, s->right_basis, s->m, s->a, s->b, 0);
    }
    around(s->left_basis, grad, s->right_basis, here, s->a, s->b, 0);
    const float first = 1 - powf(beta1, steps + 1), second = 1 - powf(beta2, steps + 1);
    for (int i = 0; i < n; i++) {
        s->m[i] += (1 - beta1) * (here[i] - s->m[i]);
        s->v[i] += (1 - beta2) * (here[i] * here[i] - s->v[i]);
        here[i] = s->m[i] / first / (sqrtf(s->v[i] / second) + 1e-12f);
    }
    around(s->left_basis, here, s->right_basis, move, s->a, s->b, 1);
    free(here);
}
