# What happens from now on, over plain HTTP: ask, print, and ask again behind the cursor of the last answer.
cursor=$(curl --silent --fail "$HUB/api/v1/events?topics=board,idea:$IDEA" | grep -o '"cursor": "[^"]*"' | head -1 | cut -d'"' -f4)
while sleep 1; do
  told=$(curl --silent --fail "$HUB/api/v1/events?topics=board,idea:$IDEA&after=$cursor") || continue
  cursor=$(echo "$told" | grep -o '"cursor": "[^"]*"' | head -1 | cut -d'"' -f4)
  echo "$told"
done
