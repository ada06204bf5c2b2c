// SPDX-License-Identifier: Apache-2.0

// Package queue keeps jobs in order of their priority, with a limit on retries.
package queue

import (
	"errors"
	"fmt"
	"sort"
	"sync"
	"time"
)

// ErrEmpty is returned when there is no job to take.
var ErrEmpty = errors.New("queue: no jobs")

// Job is one piece of work.
type Job struct {
	ID       string
	Priority int
	Attempts int
	Added    time.Time
	Payload  []byte
}

// Queue is safe for use by many goroutines.
type Queue struct {
	mu          sync.Mutex
	jobs        []Job
	failed      map[string]error
	maxAttempts int
}

// New returns an empty queue that gives up on a job after maxAttempts.
func New(maxAttempts int) *Queue {
	return &Queue{failed: make(map[string]error), maxAttempts: maxAttempts}
}

// Push adds a job; the most urgent comes first, the oldest first among equals.
func (q *Queue) Push(job Job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs = append(q.jobs, job)
	sort.SliceStable(q.jobs, func(i, j int) bool {
		return q.jobs[i].Priority > q.jobs[j].Priority
	})
}

// Pop takes the most urgent job.
func (q *Queue) Pop() (Job, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
}

// Retry puts a job back unless it was tried too often.
func (q *Queue) Retry(job Job, cause error) error {
	job.Attempts++
	if job.Attempts >= q.maxAttempts {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.failed[job.ID] = cause
		return fmt.Errorf("queue: job %s failed %d times: %w", job.ID, job.Attempts, cause)
	}
	q.Push(job)
	return nil
}

// Len returns the number of jobs that wait.
func (q *Queue) Len() int {
}

// Failed returns the ids of the jobs that were given up, in alphabetical order.
func (q *Queue) Failed() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	ids := make([]string, 0, len(q.failed))
	for id := range q.failed {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids
}
