from pipelines.release.stage import main

raise SystemExit(main())
