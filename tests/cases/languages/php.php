<?php

namespace Shop;

use Shop\Base\Cup;
require_once 'base.php';

const LIMIT = 3;

/** Holds cups. */
class Shelf implements Countable
{
    private array $cups = [];

    public function count(): int
    {
        // Never more than the limit.
        foreach ($this->cups as $cup) {
            echo "cup $cup";
        }
        return count($this->cups);
    }
}

interface Filter
{
    public function keep(string $cup): bool;
}

trait Washable
{
    public function wash(): void {}
}

enum Size: string
{
    case Small = 's';
}

function pour(Shelf $shelf): void
{
    if ($shelf->count() > LIMIT) {
        return;
    }
}
