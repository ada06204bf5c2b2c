require "set"
require_relative 'cup'

module Shop
  LIMIT = 3

  # Holds cups.
  class Shelf < Base
    attr_reader :cups

    def initialize(cups)
      @cups = cups
    end

    def each
      @cups.each do |cup|
        yield "#{cup}" if cup
      end
    end

    def self.empty
      new([])
    end

    def full? = @cups.size > LIMIT
  end
end
