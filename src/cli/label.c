/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/label.h"

#include <stdbool.h>
#include <string.h>

#define WIDTH 5
#define HEIGHT 7

/* Rows from the top, leftmost dot in bit 4. */
static const struct {
    char letter;
    unsigned char row[HEIGHT];
} glyphs[] = {
    {'A', {14, 17, 17, 31, 17, 17, 17}}, {'B', {30, 17, 17, 30, 17, 17, 30}},
    {'C', {14, 17, 16, 16, 16, 17, 14}}, {'E', {31, 16, 16, 30, 16, 16, 31}},
    {'H', {17, 17, 17, 31, 17, 17, 17}}, {'I', {14, 4, 4, 4, 4, 4, 14}},
    {'L', {16, 16, 16, 16, 16, 16, 31}}, {'N', {17, 25, 21, 19, 17, 17, 17}},
    {'O', {14, 17, 17, 17, 17, 17, 14}}, {'P', {30, 17, 17, 30, 16, 16, 16}},
    {'R', {30, 17, 17, 30, 20, 18, 17}}, {'S', {15, 16, 16, 14, 1, 1, 30}},
    {'T', {31, 4, 4, 4, 4, 4, 4}},       {'U', {17, 17, 17, 17, 17, 17, 14}},
    {'Y', {17, 17, 10, 4, 4, 4, 4}},     {'Z', {31, 1, 2, 4, 8, 16, 31}},
};

static void dot(const sh_rgb *image, int x, int y, int size, unsigned char value)
{
    for (int dy = 0; dy < size; dy++)
        for (int dx = 0; dx < size; dx++)
            if (x + dx >= 0 && x + dx < image->width && y + dy >= 0 && y + dy < image->height)
                memset(image->data + 3 * ((size_t)(y + dy) * (size_t)image->width + (size_t)(x + dx)), value,
                       3);
}

static bool is_set(char letter, int x, int y)
{
    if (x < 0 || x >= WIDTH || y < 0 || y >= HEIGHT)
        return false;
    for (size_t i = 0; i < sizeof(glyphs) / sizeof(glyphs[0]); i++)
        if (glyphs[i].letter == letter)
            return glyphs[i].row[y] >> (WIDTH - 1 - x) & 1;
    return false;
}

void sh_label(const sh_rgb *image, int x, int y, int size, const char *text)
{
    for (int at = x; *text; text++, at += (WIDTH + 1) * size)
        for (int row = -1; row <= HEIGHT; row++)
            for (int column = -1; column <= WIDTH; column++)
                dot(image, at + column * size, y + row * size, size, is_set(*text, column, row) ? 255 : 0);
}
