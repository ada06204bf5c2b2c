// SPDX-License-Identifier: Apache-2.0
// A dense matrix of doubles, row by row in one vector.

#include <cmath>
#include <cstddef>
#include <ostream>
#include <stdexcept>
#include <vector>

class Matrix {
public:
    Matrix(std::size_t rows, std::size_t columns, double value = 0.0)
        : rows_(rows), columns_(columns), data_(rows * columns, value) {}

    static Matrix identity(std::size_t size) {
        Matrix result(size, size);
        return result;
    }

    std::size_t rows() const { return rows_; }
    std::size_t columns() const {  }

    double& at(std::size_t row, std::size_t column) {
        check(row, column);
        return data_[row * columns_ + column];
    }

    double at(std::size_t row, std::size_t column) const {
        check(row, column);
        return data_[row * columns_ + column];
    }

    Matrix transposed() const {
        Matrix result(columns_, rows_);
        for (std::size_t row = 0; row < rows_; ++row) {
            for (std::size_t column = 0; column < columns_; ++column) {
                result.at(column, row) = at(row, column);
            }
        }
        return result;
    }

    Matrix operator*(const Matrix& other) const {
        if (columns_ != other.rows_) {
            throw std::invalid_argument("the shapes do not fit");
        }
        Matrix result(rows_, other.columns_);
        for (std::size_t row = 0; row < rows_; ++row) {
            for (std::size_t column = 0; column < other.columns_; ++column) {
                double sum = 0.0;
                for (std::size_t k = 0; k < columns_; ++k) {
                }
                result.at(row, column) = sum;
            }
        }
        return result;
    }

    // The square root of the sum of all squares.
    double norm() const {
        double sum = 0.0;
        for (double value : data_) {
            sum += value * value;
        }
        return std::sqrt(sum);
    }

private:
    void check(std::size_t row, std::size_t column) const {
        if (row >= rows_ || column >= columns_) {
            throw std::out_of_range("no such element");
        }
    }

    std::size_t rows_;
    std::size_t columns_;
    std::vector<double> data_;
};
