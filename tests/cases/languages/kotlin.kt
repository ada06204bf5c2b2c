package shop

import kotlin.math.min
import shop.base.*

const val LIMIT = 3

/** Holds cups. */
class Shelf(private val cups: List<String>) : Base() {
    val name = "shelf"

    fun count(): Int {
        // Never more than the limit.
        if (cups.size > LIMIT) {
            return LIMIT
        }
        return min(cups.size, LIMIT)
    }

    companion object {
        fun empty() = Shelf(emptyList())
    }
}

interface Filter {
    fun keep(cup: String): Boolean
}

enum class Size { SMALL, LARGE }

data class Cup(val name: String)

object Kitchen {
    fun pour(cup: Cup) {
        for (i in 0..LIMIT) {
            println("cup $i")
        }
    }
}

typealias Cups = List<Cup>
