# The five ideas with the most votes, of what you may see. Without a token: of what is public.
curl --silent --show-error --fail "$HUB/api/v1/ideas?sort=top&limit=5" --header "Authorization: Bearer $TOKEN"
