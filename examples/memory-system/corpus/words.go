package corpus

import "strings"

type topic struct {
	name  string
	nouns []string
	verbs []string
}

func topics() []topic {
	return []topic{
		{
			"garden", words("tomatoes compost greenhouse hose seedlings hedge pond mulch orchard rake beehive trellis"),
			words("watered pruned moved weeded planted harvested covered fed"),
		},
		{
			"travel", words("passport train hotel itinerary ferry visa backpack museum airport map luggage hostel"),
			words("booked cancelled renewed delayed packed confirmed shared postponed"),
		},
		{
			"work", words("deployment invoice meeting roadmap database review contract release dashboard backlog ticket migration"),
			words("approved rescheduled reviewed shipped rejected archived reopened documented"),
		},
		{
			"health", words("prescription appointment allergy knee running blood-test dentist vitamins sleep breakfast walk physiotherapy"),
			words("checked refilled moved measured skipped repeated discussed noted"),
		},
		{
			"kitchen", words("sourdough oven knife recipe freezer coffee noodles spices pan broth dumplings lemon"),
			words("baked sharpened tasted frozen replaced roasted cleaned ordered"),
		},
		{
			"home", words("boiler window heating lease neighbour cellar roof bicycle lamp router curtain key"),
			words("repaired painted replaced measured insured lent cleaned fixed"),
		},
		{
			"music", words("piano violin rehearsal score concert metronome choir record guitar strings tuner playlist"),
			words("tuned practised recorded borrowed performed transposed restrung sold"),
		},
		{
			"family", words("birthday wedding photograph letter cousin school grandmother recital present anniversary cat dog"),
			words("celebrated framed visited called planned invited thanked remembered"),
		},
	}
}

func people() []string {
	return words("Amira Björn Chiara Dmitri Elif Farid Grace Hana Ingrid João Kwame Lucía Mei Nikolai Olu Priya Rosa Søren Tomás Yuki")
}

func qualities() []string {
	return words("quiet blue early cheap sturdy spare second-hand warm light reliable small familiar bright simple local fresh heavy patient")
}

func days() []string { return words("Monday Tuesday Wednesday Thursday Friday Saturday Sunday") }

func sources() []string { return words("chat voice email import calendar") }

func words(list string) []string { return strings.Fields(list) }
