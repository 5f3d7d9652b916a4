// Command bench measures what the container costs. Each row is one workload
// that runs natively and under dettrace (and, with -peer, under other tools) in turn,
// on one CPU, several times. A row gives the medians, the median of the
// ratios of neighbouring runs with the smallest and largest, wall and CPU time
// of the whole process tree, and the ratio once more with the start-up of each
// side, measured by running `true`, taken off.
//
// With -profile it runs each workload once and says where the time went.
//
// Pairs that run next to each other see the same load and the same clock
// frequency; that is why the ratio is taken per pair and not from two medians.
//
//	go run ./test/bench -json bench.json -md bench.md
//	go run ./test/bench -rows stat,open -pairs 9
//	go run ./test/bench -profile
package main
