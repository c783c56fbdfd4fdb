# Post an idea. The key is made up once: sent again with it, after a lost answer, nothing is posted twice.
key="benches-$(date +%s)-$$"
curl --silent --show-error --fail "$HUB/api/v1/ideas" --retry 3 --retry-connrefused \
  --header "Authorization: Bearer $TOKEN" --header "Content-Type: application/json" --header "Idempotency-Key: $key" \
  --data '{"title": "Benches by curl", "problem": "There is nowhere to sit.", "proposal": "Put three benches on the hill."}'
