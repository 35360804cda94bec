from pipelines.privacy.stage import main

raise SystemExit(main())
