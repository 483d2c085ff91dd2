// Package rig runs real collectors beside a test, feeds them points that are numbered, and counts which of them a backend got.
//
// A point is accepted when the collector that it was sent to said so. Whatever is done to collectors and backend meanwhile, each accepted
// point must be found at the backend: Missing names those that are not.
package rig
