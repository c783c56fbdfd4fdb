# Have a vote for an idea. Twice is harmless; DELETE takes it back.
curl --silent --show-error --fail --request PUT "$HUB/api/v1/ideas/$IDEA/vote" --header "Authorization: Bearer $TOKEN"
