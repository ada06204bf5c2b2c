#include <string>
#include "shelf.hpp"
using namespace std;

namespace shop {

enum class Size { Small, Large };

template <typename T>
class Shelf {
public:
    explicit Shelf(int limit) : limit_(limit) {}
    ~Shelf() = default;

    int count() const {
        for (auto &cup : cups_) {
            cup.fill();
        }
        return limit_;
    }

    bool operator==(const Shelf &other) const { return limit_ == other.limit_; }

private:
    int limit_;
};

struct Cup {
    string name;
};

using Cups = Shelf<Cup>;

// Fills the cup.
void Kitchen::pour(Cup &cup) {
    auto fill = [&](int n) { cup.name += "x"; };
    fill(1);
}

template <typename T>
concept Drink = requires(T t) { t.drink(); };

}  // namespace shop
