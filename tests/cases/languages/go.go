package shop

import (
	"fmt"
	str "strings"
)

const Limit = 3

// Shelf holds cups.
type Shelf struct {
	cups []string
}

type Filter interface {
	Keep(cup string) bool
}

type Size int

func (s *Shelf) Count() int {
	if len(s.cups) > Limit {
		return Limit
	}
	return len(s.cups)
}

func Pour(shelf *Shelf) {
	for _, cup := range shelf.cups {
		fmt.Println(str.ToUpper(cup), `raw`)
	}
	go func() {
		shelf.cups = nil
	}()
}
