"""Start a program again whenever it ends, as `restart: unless-stopped` of docker-compose.yml does.

Celery's worker ends by itself when its broker goes while it acknowledges a task: kombu's Redis
transport (5.7) then asks a connection that it has taken apart already.
"""

import subprocess
import sys
import time

PAUSE_SECONDS = 1.0

if __name__ == "__main__":
    while True:
        subprocess.run([sys.executable, *sys.argv[1:]], check=False)
        time.sleep(PAUSE_SECONDS)
